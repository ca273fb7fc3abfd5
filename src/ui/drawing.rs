//! Everything of the window that lives on the GPU: textures of the fields on show, the
//! passes that draw them, and their pictures.

use std::collections::HashMap;
use std::sync::Arc;

use super::subject::{FieldId, Source, Subject};
use super::theme;
use crate::device::GpuContext;
use crate::field::TileBox;
use crate::pipeline::{Changed, FieldValues};
use crate::render::{
    Classifier, ColorScale, ColorTable, DisplayVolume, FieldPainter, FieldTexture, March, Offscreen, Opacity, Placed,
    PresentPass, SlicePass, SlicePicture, VolumeMode, VolumePass,
};

/// Bytes uploaded in one frame at most, so that no frame waits for a whole large field.
const UPLOAD: usize = 24 << 20;
/// Textures kept of fields that were on show, and the bytes that they may take together;
/// what is on show is kept in any case.
const KEPT: usize = 5;
const KEPT_BYTES: usize = 2 << 30;
/// Most voxels an axis of a field on show, on a software renderer and on a GPU: with what
/// it is compared with, 12 bytes a voxel.
const AFFORDABLE: [usize; 2] = [512, 640];

struct Entry {
    texture: FieldTexture,
    version: u64,
    /// Planes across x that are still to be painted.
    left: usize,
    used: u64,
}

/// A field on the GPU as far as it is, and what changed in it just now.
struct Synced {
    before: u64,
    regions: Option<Vec<TileBox>>,
}

/// Bytes of the values of `tiles`.
fn bytes(tiles: &[TileBox]) -> usize {
    4 * tiles.iter().map(|tile| tile.size.iter().product::<usize>()).sum::<usize>()
}

/// What the display volume shows.
#[derive(Clone, PartialEq)]
struct DisplayKey {
    generations: [u64; 2],
    scales: [ColorScale; 2],
    both: bool,
}

/// Textures, passes and pictures.
pub struct Drawing {
    gpu: GpuContext,
    painter: FieldPainter,
    classifier: Classifier,
    /// The ray march.
    pub volume_pass: VolumePass,
    /// Slices.
    pub slice_pass: SlicePass,
    /// Pictures to the screen.
    pub present: Arc<PresentPass>,
    fields: HashMap<FieldId, Entry>,
    display: Option<(DisplayVolume, DisplayKey, f32)>,
    colors: Option<ColorTable>,
    /// Pictures of the volume: one, or two side by side.
    pub volumes: [Offscreen; 2],
    /// Pictures of the slices across x, y and z, two of each for side by side.
    pub slices: [[SlicePicture; 2]; 3],
    planned: Vec<March>,
    /// Most passes that are averaged in a picture that is planned.
    pub most_passes: u32,
    most_voxels: usize,
    /// Most voxels that there was room for of what is open.
    room: usize,
    frame: u64,
}

impl Drawing {
    /// For a screen of `format`, with `wake` called where a finer picture is there.
    pub fn new(gpu: &GpuContext, format: wgpu::TextureFormat, wake: impl Fn() + Send + Sync + Clone + 'static) -> Self {
        let painter = FieldPainter::new(gpu.clone());
        let affordable = if gpu.is_software() { AFFORDABLE[0] } else { AFFORDABLE[1] };
        Self {
            most_voxels: painter.most_voxels().min(affordable),
            painter,
            classifier: Classifier::new(gpu.clone()),
            volume_pass: VolumePass::new(gpu.clone()),
            slice_pass: SlicePass::new(gpu.clone()),
            present: PresentPass::new(gpu.clone(), format, theme::canvas()),
            fields: HashMap::new(),
            display: None,
            colors: None,
            volumes: [Offscreen::new(gpu.clone(), wake.clone()), Offscreen::new(gpu.clone(), wake)],
            room: usize::MAX,
            planned: Vec::new(),
            most_passes: 4,
            slices: Default::default(),
            frame: 0,
            gpu: gpu.clone(),
        }
    }

    /// Whether the device draws in software.
    pub fn is_software(&self) -> bool {
        self.gpu.is_software()
    }

    /// Another job: nothing of the old one remains.
    pub fn clear(&mut self) {
        self.room = usize::MAX;
        self.forget();
    }

    fn forget(&mut self) {
        self.fields.clear();
        self.display = None;
        self.volumes.iter_mut().for_each(Offscreen::clear);
    }

    /// Leave the pictures as they are to whoever draws with them later, and make others for the screen.
    pub fn part_with_pictures(&mut self) {
        self.display = None;
        self.slices = Default::default();
    }

    /// Most voxels an axis that a field may have to be shown as it is.
    pub fn most_voxels(&self) -> usize {
        self.most_voxels.min(self.room)
    }

    /// Show fewer.
    pub fn limit_voxels(&mut self, n: usize) {
        self.most_voxels = self.most_voxels.min(n.max(1));
        self.clear();
    }

    /// Bring the textures of `shown` and `compared` up to date, as far as one frame may,
    /// and the display volume with them. Says whether there is more to come.
    pub fn sync(
        &mut self,
        subject: &Subject,
        shown: &Source,
        compared: Option<&Source>,
        scales: [ColorScale; 2],
        opacity: Opacity,
        mode: VolumeMode,
    ) -> bool {
        self.frame += 1;
        let first = self.upload(subject, shown);
        let second = compared.map(|c| self.upload(subject, c));
        let (Some(first), Some(second)) = (first, second.map_or(Some(None), |s| s.map(Some))) else {
            return self.show_fewer(shown.n());
        };
        self.evict();
        if self.colors.as_ref().is_none_or(|c| !c.matches(&scales[0], opacity)) {
            self.colors = Some(ColorTable::new(&self.gpu.device, &self.gpu.queue, &scales[0], opacity));
        }
        let entry = |id| self.fields.get(&id).map(|e: &Entry| (&e.texture, e.left));
        let Some((texture, left)) = entry(shown.id) else { return false };
        let other = compared.and_then(|c| entry(c.id));
        let key = DisplayKey {
            generations: [texture.generation(), other.map_or(0, |(t, _)| t.generation())],
            scales,
            both: other.is_some(),
        };
        let n = texture.n();
        if self.display.as_ref().is_none_or(|(volume, ..)| volume.n() != n) {
            self.display = None;
            let Some(volume) = self.gpu.if_room(|| self.classifier.create(n)) else { return self.show_fewer(n) };
            self.display = Some((volume, DisplayKey { generations: [u64::MAX; 2], ..key.clone() }, -1.0));
        }
        let (volume, have, threshold) = self.display.as_mut().expect("just made");
        let occupied = match mode {
            VolumeMode::Emission | VolumeMode::Surface => opacity.low,
            VolumeMode::Maximum | VolumeMode::Planes => 0.0,
        };
        if *have != key {
            // Where tiles alone changed in the shown field, they alone are placed anew.
            let tiles_alone = have.scales == key.scales
                && have.both == key.both
                && have.generations == [first.before, second.as_ref().map_or(0, |s| s.before)]
                && second.as_ref().is_none_or(|s| s.before == key.generations[1]);
            let regions = if tiles_alone { first.regions.as_deref() } else { None };
            let placed = Placed { field: texture, scale: &key.scales[0] };
            let with = other.map(|(field, _)| Placed { field, scale: &key.scales[1] });
            self.classifier.place(volume, placed, with, regions);
            self.classifier.skip(volume, occupied);
            (*have, *threshold) = (key, occupied);
        } else if *threshold != occupied {
            self.classifier.skip(volume, occupied);
            *threshold = occupied;
        }
        left > 0 || other.is_some_and(|(_, left)| left > 0)
    }

    /// The volume to march through and its colours.
    pub fn display(&self) -> Option<(&DisplayVolume, &ColorTable)> {
        Some((&self.display.as_ref()?.0, self.colors.as_ref()?))
    }

    /// March through the volume, or take the picture that is there.
    pub fn march(
        &mut self,
        which: usize,
        look: &crate::render::VolumeLook,
        size: [u32; 2],
        pace: crate::render::Pace,
    ) -> Option<(crate::render::Picture, Option<std::time::Duration>)> {
        let (volume, colors) = (&self.display.as_ref()?.0, self.colors.as_ref()?);
        self.volumes[which].draw(&self.volume_pass, volume, colors, look, size, pace)
    }

    /// The volume in full quality, to be drawn later ([`Drawing::take_planned`]).
    pub fn plan(&mut self, look: &crate::render::VolumeLook, size: [u32; 2]) -> Option<crate::render::Picture> {
        let (volume, colors) = self.display()?;
        // Many pixels need fewer rays each.
        let passes = (8_000_000 / (size[0] * size[1]).max(1)).clamp(1, self.most_passes);
        let march = March::new(&self.volume_pass, volume, colors, look, size, passes)?;
        let picture = march.picture();
        self.planned.push(march);
        Some(picture)
    }

    /// What was planned since it was asked last.
    pub fn take_planned(&mut self) -> Vec<March> {
        std::mem::take(&mut self.planned)
    }

    /// Whether there are textures that are not all there yet.
    pub fn is_uploading(&self) -> bool {
        self.fields.values().any(|entry| entry.left > 0 && entry.used == self.frame)
    }

    /// Draw a slice, or take the picture that is there.
    pub fn slice(
        &mut self,
        which: usize,
        (shown, compared): (&Source, Option<&Source>),
        scales: &[ColorScale; 2],
        look: &crate::render::SliceLook,
        size: [u32; 2],
    ) -> Option<crate::render::Picture> {
        let placed = |id, scale| self.fields.get(&id).map(|e: &Entry| Placed { field: &e.texture, scale });
        let first = placed(shown.id, &scales[0])?;
        let second = compared.and_then(|c| placed(c.id, &scales[1]));
        let colors = self.colors.as_ref()?;
        self.slices[look.axis][which].draw(&self.slice_pass, first, second, colors, look, size)
    }

    /// The device has no room for `n³` voxels: fewer are shown from now on. There is more to come.
    fn show_fewer(&mut self, n: usize) -> bool {
        self.room = (2 * n / 3).max(1);
        self.forget();
        true
    }

    /// `None` where there is no room for it.
    fn upload(&mut self, subject: &Subject, source: &Source) -> Option<Synced> {
        let n = source.n();
        if self.fields.get(&source.id).is_none_or(|e| e.texture.n() != n) {
            self.fields.remove(&source.id);
            let texture = self.gpu.if_room(|| self.painter.create(n))?;
            self.fields.insert(source.id, Entry { texture, version: u64::MAX, left: 0, used: 0 });
        }
        let entry = self.fields.get_mut(&source.id).expect("just made");
        entry.used = self.frame;
        let before = entry.texture.generation();
        let mut regions = None;
        if entry.version != source.version {
            let changed =
                if entry.version == u64::MAX { Changed::All } else { subject.changed_since(source.id, entry.version) };
            match (&source.values, changed) {
                // Also where the rest of the field is still to come.
                (FieldValues::Host(grid), Changed::Tiles(tiles)) if bytes(&tiles) <= UPLOAD => {
                    for tile in &tiles {
                        self.painter.paint_part(&mut entry.texture, *tile, grid);
                    }
                    regions = Some(tiles);
                }
                (FieldValues::Host(_), _) => entry.left = n,
                (FieldValues::Device { values, .. }, _) => {
                    let whole = TileBox { origin: [0; 3], size: [n; 3] };
                    self.painter.paint(&mut entry.texture, whole, values.clone());
                }
            }
            entry.version = source.version;
        }
        if entry.left > 0
            && let FieldValues::Host(grid) = &source.values
        {
            let planes = (UPLOAD / (4 * n * n)).clamp(1, entry.left);
            let first = n - entry.left;
            let tile = TileBox { origin: [first, 0, 0], size: [planes, n, n] };
            self.painter.paint_values(
                &mut entry.texture,
                tile,
                &grid.as_slice()[first * n * n..(first + planes) * n * n],
            );
            entry.left -= planes;
            // With the first planes everything is new.
            regions = (first > 0).then(|| regions.into_iter().flatten().chain([tile]).collect());
        }
        Some(Synced { before, regions })
    }

    fn evict(&mut self) {
        loop {
            let bytes: usize = self.fields.values().map(|e| 4 * e.texture.n().pow(3)).sum();
            if self.fields.len() <= KEPT && bytes <= KEPT_BYTES {
                break;
            }
            let idle = self.fields.iter().filter(|(_, e)| e.used < self.frame);
            let oldest = idle.min_by_key(|(_, e)| e.used).map(|(id, _)| *id);
            match oldest {
                Some(id) => self.fields.remove(&id),
                None => break,
            };
        }
    }
}
