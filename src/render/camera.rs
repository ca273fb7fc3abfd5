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

    /// Tangent of half the angle from the lower to the upper edge of a picture. One higher than
    /// wide shows as much across as a square one would.
    fn slope(aspect: f32) -> f32 {
        (0.5 * Self::FIELD_OF_VIEW).tan() / aspect.clamp(1e-3, 1.0)
    }

    /// The height that a picture of that aspect shows at the target, in box sides.
    pub fn height(&self, aspect: f32) -> f32 {
        2.0 * self.distance * Self::slope(aspect)
    }

    /// From the unit cube to clip space.
    pub fn world_to_clip(&self, aspect: f32) -> Mat4 {
        let view = glam::camera::rh::view::look_at_mat4(self.eye(), self.target, Vec3::Z);
        let projection = if self.orthographic {
            let half = 0.5 * self.height(aspect);
            glam::camera::rh::proj::directx::orthographic(-half * aspect, half * aspect, -half, half, -8.0, 20.0)
        } else {
            let angle = 2.0 * Self::slope(aspect).atan();
            glam::camera::rh::proj::directx::perspective(angle, aspect, 0.05, 20.0)
        };
        projection * view
    }

    /// Turn by a drag of `delta` points.
    pub fn orbit(&mut self, delta: Vec2) {
        self.turn(delta * 0.008);
    }

    /// Turn the box by so many radians, to the right and down.
    pub fn turn(&mut self, angles: Vec2) {
        self.yaw = (self.yaw - angles.x).rem_euclid(std::f32::consts::TAU);
        // Short of the poles, where up would flip.
        self.pitch = (self.pitch + angles.y).clamp(-1.5, 1.5);
    }

    /// Move sideways by a drag of `delta` points over a picture of `size` points.
    pub fn pan(&mut self, delta: Vec2, size: Vec2) {
        let [right, up] = self.screen_axes();
        let size = size.max(Vec2::ONE);
        let scale = self.height(size.x / size.y) / size.y;
        self.target += (up * delta.y - right * delta.x) * scale;
        self.target = self.target.clamp(Vec3::splat(-0.5), Vec3::splat(1.5));
    }

    /// Move nearer (above one) or farther, towards what is under `at` (−1 to 1 across and
    /// up, of a picture of that aspect).
    pub fn zoom(&mut self, factor: f32, at: Vec2, aspect: f32) {
        let before = self.height(aspect);
        self.distance = (self.distance / factor).clamp(0.25, 8.0);
        let [right, up] = self.screen_axes();
        let gained = 0.5 * (before - self.height(aspect));
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

/// Where a line of sight enters the part of the box between two corners and where it leaves it,
/// distances from its origin; `None` where it passes by.
pub fn crossing([origin, direction]: [Vec3; 2], [low, high]: [[f32; 3]; 2]) -> Option<[f32; 2]> {
    // Along a face, a division by zero would say neither inside nor outside.
    let small = direction.abs().cmplt(Vec3::splat(1e-6));
    let inverse = Vec3::select(small, Vec3::splat(1e-6), direction).recip();
    let (a, b) = ((Vec3::from(low) - origin) * inverse, (Vec3::from(high) - origin) * inverse);
    let (enter, leave) = (a.min(b).max_element().max(0.0), a.max(b).min_element());
    (enter < leave).then_some([enter, leave])
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
    fn zooming_and_moving_keep_what_is_under_the_cursor() {
        for aspect in [1.4, 0.4] {
            let mut camera = OrbitCamera { orthographic: true, ..OrbitCamera::default() };
            let at = Vec2::new(0.3, 0.6);
            let [origin, direction] = camera.ray(at, aspect);
            let point = origin + direction * (camera.target - origin).dot(direction);
            camera.zoom(1.7, Vec2::new(at.x * 2.0 - 1.0, 1.0 - 2.0 * at.y), aspect);
            assert!((camera.project(point, aspect).unwrap() - at).length() < 1e-3);
            let size = Vec2::new(500.0 * aspect, 500.0);
            camera.pan(Vec2::new(20.0, 10.0), size);
            let moved = (camera.project(point, aspect).unwrap() - at) * size;
            assert!((moved - Vec2::new(20.0, 10.0)).length() < 0.5, "{moved} at {aspect}");
        }
    }

    #[test]
    fn a_line_of_sight_crosses_the_box_from_face_to_face() {
        let whole = [[0.0; 3], [1.0; 3]];
        for distance in [0.6, 2.5, 8.0] {
            for orthographic in [false, true] {
                let camera = OrbitCamera { orthographic, distance, ..OrbitCamera::default() };
                let ray = camera.ray(Vec2::splat(0.5), 1.3);
                let [enter, leave] = crossing(ray, whole).unwrap();
                let middle = ray[0] + ray[1] * 0.5 * (enter + leave);
                assert!(enter >= 0.0 && middle.min_element() > 0.0 && middle.max_element() < 1.0);
                let out = ray[0] + ray[1] * leave;
                assert!(out.min_element().abs() < 1e-3 || (out.max_element() - 1.0).abs() < 1e-3, "{out}");
            }
        }
        assert_eq!(crossing([Vec3::new(0.5, 2.0, 0.5), Vec3::X], whole), None);
        assert!(crossing([Vec3::new(-1.0, 0.5, 0.5), Vec3::X], whole).is_some());
    }
}
