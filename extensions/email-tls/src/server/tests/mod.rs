//! The methods against servers that behave, and servers that do not.

mod algebra;
mod faults;
mod hosted;
mod records;
mod sessions;
mod world;
