//! Tests of the library and the program as a whole. They are one binary, because
//! linking burn and wgpu once takes as long as running them.

mod files;
mod film;
mod layers;
mod learn;
mod networks;
mod package;
mod painted;
mod pairs;
mod picture;
mod predict;
mod program;
mod seams;
mod shared_device;
mod simulate;
mod window;
