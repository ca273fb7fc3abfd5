//! From tensors to pixels: the wgpu device that networks and picture share, and
//! the passes that paint tiles into volumes and volumes onto the screen.

mod camera;
mod gpu;
mod view;
mod volume;

pub use camera::OrbitCamera;
pub use gpu::{GpuContext, compute_device};
pub use view::{ViewMode, ViewPipelines, VolumeView};
pub use volume::{TextureSource, VolumeCanvas};
