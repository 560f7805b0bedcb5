//! Settings of the server and their documentation
