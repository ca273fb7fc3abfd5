//! From tensors to pixels: the passes that paint tiles into volumes and volumes onto the screen.

mod camera;
mod view;
mod volume;

pub use camera::OrbitCamera;
pub use view::{ViewMode, ViewPipelines, VolumeView};
pub use volume::{TextureSource, VolumeCanvas};
