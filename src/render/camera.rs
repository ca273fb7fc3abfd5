//! A camera that orbits the box.

use glam::{Mat4, Vec2, Vec3, Vec4};
use serde::{Deserialize, Serialize};

/// Looks at a point of the unit cube from a distance; z is up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrbitCamera {
    /// Angle about the vertical axis, radians.
    pub yaw: f32,
    /// Angle above the horizon, radians.
    pub pitch: f32,
    /// Distance from the target in box sides.
    pub distance: f32,
    /// What it looks at, in the unit cube.
    pub target: Vec3,
    /// Without perspective.
    pub orthographic: bool,
}

impl Default for OrbitCamera {
    fn default() -> Self {
        Self { yaw: 0.65, pitch: 0.42, distance: 2.5, target: Vec3::splat(0.5), orthographic: false }
    }
}

impl OrbitCamera {
    const FIELD_OF_VIEW: f32 = 0.75;

    /// Whether its numbers are those of a camera that sees the box.
    pub fn is_sound(&self) -> bool {
        self.yaw.is_finite()
            && self.pitch.abs() <= 1.5
            && (1e-3..100.0).contains(&self.distance)
            && self.target.abs().max_element() < 10.0
    }

    /// Where the camera is.
    pub fn eye(&self) -> Vec3 {
        self.target + self.outward() * self.distance
    }

    /// From the target to the eye, of length one.
    fn outward(&self) -> Vec3 {
        let horizontal = Vec3::new(self.yaw.cos(), self.yaw.sin(), 0.0) * self.pitch.cos();
        horizontal + Vec3::Z * self.pitch.sin()
    }

    /// To the right and up on the screen, each of length one.
    fn screen_axes(&self) -> [Vec3; 2] {
        let right = Vec3::new(-self.yaw.sin(), self.yaw.cos(), 0.0);
        [right, self.outward().cross(right)]
    }

    /// Half the height that is seen at the target, in box sides.
    fn half_height(&self) -> f32 {
        self.distance * (0.5 * Self::FIELD_OF_VIEW).tan()
    }

    /// From the unit cube to clip space. A picture higher than wide shows as much across
    /// as a square one would.
    pub fn world_to_clip(&self, aspect: f32) -> Mat4 {
        let view = glam::camera::rh::view::look_at_mat4(self.eye(), self.target, Vec3::Z);
        let narrow = aspect.clamp(1e-3, 1.0);
        let projection = if self.orthographic {
            let half = self.half_height() / narrow;
            glam::camera::rh::proj::directx::orthographic(-half * aspect, half * aspect, -half, half, -8.0, 20.0)
        } else {
            let angle = 2.0 * ((0.5 * Self::FIELD_OF_VIEW).tan() / narrow).atan();
            glam::camera::rh::proj::directx::perspective(angle, aspect, 0.05, 20.0)
        };
        projection * view
    }

    /// Turn by a drag of `delta` points.
    pub fn orbit(&mut self, delta: Vec2) {
        self.yaw = (self.yaw - delta.x * 0.008).rem_euclid(std::f32::consts::TAU);
        // Short of the poles, where up would flip.
        self.pitch = (self.pitch + delta.y * 0.008).clamp(-1.5, 1.5);
    }

    /// Move sideways by a drag of `delta` points over a picture `height` points high.
    pub fn pan(&mut self, delta: Vec2, height: f32) {
        let [right, up] = self.screen_axes();
        let scale = 2.0 * self.half_height() / height.max(1.0);
        self.target += (up * delta.y - right * delta.x) * scale;
        self.target = self.target.clamp(Vec3::splat(-0.5), Vec3::splat(1.5));
    }

    /// Move nearer (above one) or farther, towards what is under `at` (−1 to 1 across and
    /// up, of a picture of that aspect).
    pub fn zoom(&mut self, factor: f32, at: Vec2, aspect: f32) {
        let before = self.half_height();
        self.distance = (self.distance / factor).clamp(0.25, 8.0);
        let [right, up] = self.screen_axes();
        let gained = before - self.half_height();
        self.target += (right * at.x * aspect + up * at.y) * gained;
        self.target = self.target.clamp(Vec3::splat(-0.5), Vec3::splat(1.5));
    }

    /// Where a point of the unit cube appears, x and y in `[0, 1]` from the top
    /// left; `None` behind the camera.
    pub fn project(&self, point: Vec3, aspect: f32) -> Option<Vec2> {
        let clip = self.world_to_clip(aspect) * Vec4::new(point.x, point.y, point.z, 1.0);
        (clip.w > 1e-4).then(|| Vec2::new(clip.x / clip.w * 0.5 + 0.5, 0.5 - clip.y / clip.w * 0.5))
    }

    /// The line of sight through a point of the picture (0 to 1 from the top left):
    /// origin and direction of length one.
    pub fn ray(&self, at: Vec2, aspect: f32) -> [Vec3; 2] {
        let inverse = self.world_to_clip(aspect).inverse();
        let point = |depth: f32| {
            let p = inverse * Vec4::new(at.x * 2.0 - 1.0, 1.0 - at.y * 2.0, depth, 1.0);
            p.truncate() / p.w
        };
        let origin = point(0.0);
        [origin, (point(1.0) - origin).normalize()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_the_box_is_the_middle_of_the_view_and_up_is_up() {
        for orthographic in [false, true] {
            let camera = OrbitCamera { orthographic, ..OrbitCamera::default() };
            let middle = camera.project(Vec3::splat(0.5), 1.5).unwrap();
            assert!((middle - Vec2::splat(0.5)).length() < 1e-5);
            let above = camera.project(Vec3::new(0.5, 0.5, 0.9), 1.5).unwrap();
            assert!(above.y < 0.5 && (above.x - 0.5).abs() < 1e-5);
        }
        let camera = OrbitCamera::default();
        assert!(camera.project(camera.eye() * 2.0 - Vec3::splat(0.5), 1.5).is_none());
    }

    #[test]
    fn the_camera_stays_between_the_poles_and_outside_the_target() {
        let mut camera = OrbitCamera::default();
        camera.orbit(Vec2::new(0.0, 1e4));
        camera.zoom(1e6, Vec2::ZERO, 1.0);
        assert!(camera.pitch < std::f32::consts::FRAC_PI_2 && camera.distance >= 0.25);
    }

    #[test]
    fn a_line_of_sight_meets_what_is_drawn_at_its_point() {
        for orthographic in [false, true] {
            let camera = OrbitCamera { orthographic, ..OrbitCamera::default() };
            let point = Vec3::new(0.2, 0.9, 0.4);
            let [origin, direction] = camera.ray(camera.project(point, 1.3).unwrap(), 1.3);
            let off = (point - origin).reject_from(direction).length();
            assert!(off < 1e-3, "{off} beside the line");
        }
    }

    #[test]
    fn zooming_keeps_what_is_under_the_cursor() {
        let mut camera = OrbitCamera { orthographic: true, ..OrbitCamera::default() };
        let aspect = 1.4;
        let at = Vec2::new(0.3, 0.6);
        let [origin, direction] = camera.ray(at, aspect);
        let point = origin + direction * (camera.target - origin).dot(direction);
        camera.zoom(1.7, Vec2::new(at.x * 2.0 - 1.0, 1.0 - 2.0 * at.y), aspect);
        assert!((camera.project(point, aspect).unwrap() - at).length() < 1e-3);
    }
}
