mod checks;
mod desk;
mod far;
mod remotes;
mod rule;
