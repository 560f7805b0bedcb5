mod checking;
mod deciding;
mod world;
