//! A camera that orbits the box.

use glam::{Mat4, Vec2, Vec3, Vec4};

/// Looks at the middle of the unit cube from a distance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrbitCamera {
    /// Angle about the vertical axis, radians.
    pub yaw: f32,
    /// Angle above the horizon, radians.
    pub pitch: f32,
    /// Distance from the target in box sides.
    pub distance: f32,
    /// What it looks at, in the unit cube.
    pub target: Vec3,
}

impl Default for OrbitCamera {
    fn default() -> Self {
        Self { yaw: 0.65, pitch: 0.45, distance: 2.75, target: Vec3::splat(0.5) }
    }
}

impl OrbitCamera {
    const FIELD_OF_VIEW: f32 = 0.75;

    /// Where the camera is.
    pub fn eye(&self) -> Vec3 {
        let horizontal = Vec3::new(self.yaw.cos(), self.yaw.sin(), 0.0) * self.pitch.cos();
        self.target + (horizontal + Vec3::Z * self.pitch.sin()) * self.distance
    }

    /// From the unit cube to clip space; z is up.
    pub fn world_to_clip(&self, aspect: f32) -> Mat4 {
        let projection = glam::camera::rh::proj::directx::perspective(Self::FIELD_OF_VIEW, aspect, 0.05, 20.0);
        projection * glam::camera::rh::view::look_at_mat4(self.eye(), self.target, Vec3::Z)
    }

    /// Turn by a drag of `delta` points.
    pub fn orbit(&mut self, delta: Vec2) {
        self.yaw -= delta.x * 0.008;
        // Short of the poles, where up would flip.
        self.pitch = (self.pitch + delta.y * 0.008).clamp(-1.5, 1.5);
    }

    /// Move nearer (above one) or farther.
    pub fn zoom(&mut self, factor: f32) {
        self.distance = (self.distance / factor).clamp(0.6, 8.0);
    }

    /// Where a point of the unit cube appears, x and y in `[0, 1]` from the top
    /// left; `None` behind the camera.
    pub fn project(&self, point: Vec3, aspect: f32) -> Option<Vec2> {
        let clip = self.world_to_clip(aspect) * Vec4::new(point.x, point.y, point.z, 1.0);
        (clip.w > 1e-4).then(|| Vec2::new(clip.x / clip.w * 0.5 + 0.5, 0.5 - clip.y / clip.w * 0.5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_the_box_is_the_middle_of_the_view_and_up_is_up() {
        let camera = OrbitCamera::default();
        let middle = camera.project(Vec3::splat(0.5), 1.5).unwrap();
        assert!((middle - Vec2::splat(0.5)).length() < 1e-5);
        let above = camera.project(Vec3::new(0.5, 0.5, 0.9), 1.5).unwrap();
        assert!(above.y < 0.5 && (above.x - 0.5).abs() < 1e-5);
        assert!(camera.project(camera.eye() * 2.0 - Vec3::splat(0.5), 1.5).is_none());
    }

    #[test]
    fn the_camera_stays_between_the_poles_and_outside_the_target() {
        let mut camera = OrbitCamera::default();
        camera.orbit(Vec2::new(0.0, 1e4));
        camera.zoom(1e6);
        assert!(camera.pitch < std::f32::consts::FRAC_PI_2 && camera.distance > 0.5);
    }
}
