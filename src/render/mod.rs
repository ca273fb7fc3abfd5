//! From fields to pixels: the passes
//! that paint tiles into textures, and those that draw the textures: volume, slices,
//! lines. One WGSL file a pass (`shaders/`).
//!
//! Textures hold physical values; ranges and stretches are applied on the device. A
//! picture is drawn into a texture of its own and drawn again only when something in it
//! changed ([`Offscreen`], [`SlicePicture`]); the screen gets a copy ([`Presented`]).

mod camera;
mod capture;
mod colormap;
mod display;
mod field_texture;
mod layout;
mod march;
mod offscreen;
mod picture;
mod present;
mod shaders;
mod slice;
mod transfer;
mod vector;
mod volume;

pub use camera::{OrbitCamera, crossing};
pub use capture::{Canvas, FORMAT, read_pixels};
pub use colormap::ColorMap;
pub use display::{Classifier, DisplayVolume, Placed};
pub use field_texture::{FieldPainter, FieldTexture, TextureSource};
pub use march::March;
pub use offscreen::{Offscreen, Pace};
pub use picture::Picture;
pub use present::{Line, PresentPass, Presented};
pub use shaders::{SHADERS, source};
pub use slice::{SLICE_AXES, SliceLook, SlicePass, SlicePicture};
pub use transfer::{ColorScale, ColorTable, Opacity, Stretch, Tick};
pub use vector::{drawing, pictures};
pub use volume::{VolumeLook, VolumeMode, VolumePass};
