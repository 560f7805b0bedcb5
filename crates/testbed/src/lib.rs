//! A world in a box: scriptable DNS and responders, load, crashes
