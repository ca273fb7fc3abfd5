//! The view as a picture that leaves the window.

use egui::{Color32, Context, Rect, Ui};

use super::app::{HalodiApp, Message};
use super::files::{self, Wanted};
use super::panels::{axes, spectra, volume};
use super::theme;
use crate::error::Error;
use crate::render::draw_ui;

/// Size of the picture in points; times a factor in pixels.
pub const SIZE: [f32; 2] = [1280.0, 960.0];
/// Size of the plots of the spectra in points.
const PLOTS: [f32; 2] = [560.0, 840.0];
/// Width of the colour bar with its values.
const BAR: f32 = 130.0;

/// Draw the volume with its axes and colour bar, `factor` pixels a point.
pub fn capture(app: &mut HalodiApp, ctx: &Context, factor: f32) -> crate::render::Capture {
    let gpu = app.gpu.clone();
    let present = app.drawing.present.clone();
    // Pictures that leave the window have their own format.
    app.drawing.present = crate::render::PresentPass::new(gpu.clone(), wgpu::TextureFormat::Rgba8Unorm);
    let picture = draw_ui(&gpu, ctx, SIZE.into(), factor, |ui| paint(app, ui));
    app.drawing.present = present;
    picture.after(app.drawing.take_planned())
}

/// Draw the plots of the spectra, `factor` pixels a point.
pub fn capture_spectra(app: &mut HalodiApp, ctx: &Context, factor: f32) -> crate::render::Capture {
    let gpu = app.gpu.clone();
    draw_ui(&gpu, ctx, PLOTS.into(), factor, |ui| {
        let fill = ui.visuals().panel_fill;
        ui.painter().rect_filled(Rect::from_min_size(egui::Pos2::ZERO, PLOTS.into()), 0.0, fill);
        spectra::show(app, ui);
    })
}

fn paint(app: &mut HalodiApp, ui: &mut Ui) {
    let rect = Rect::from_min_size(egui::Pos2::ZERO, SIZE.into());
    ui.painter().rect_filled(rect, 0.0, theme::CANVAS);
    let canvas = rect.with_max_x(rect.right() - BAR);
    volume::picture(app, ui, canvas, 0, true);
    volume::overlay_for_export(app, ui, canvas);
    if let Some((shown, _)) = &app.shown {
        let bar =
            Rect::from_min_max(egui::pos2(canvas.right() + 20.0, 90.0), rect.right_bottom() - egui::vec2(10.0, 110.0));
        axes::color_bar(ui.painter(), bar, &app.view.scale(shown.quantity), shown.unit());
    }
    if let Some(opened) = app.subject.opened() {
        let text =
            format!("{}, z = {:.2}, {:.2} Mpc/h, {}³ voxels", opened.name, opened.redshift, opened.box_size, opened.n);
        let at = canvas.left_bottom() + egui::vec2(14.0, -14.0);
        ui.painter().text(at, egui::Align2::LEFT_BOTTOM, text, egui::FontId::proportional(13.0), theme::FAINT);
    }
}

/// Save the view as a PNG of a name of the user's choice.
pub fn save(app: &mut HalodiApp, ctx: &Context, factor: f32) {
    let capture = capture(app, ctx, factor);
    files::ask(app, "Save the view", Wanted::New("halodi.png"), move |path| {
        let written = capture.image().and_then(|image| {
            let [width, height] = image.size;
            let bytes: Vec<u8> = image.pixels.iter().flat_map(Color32::to_array).collect();
            let mut png = std::io::Cursor::new(Vec::new());
            image::write_buffer_with_format(
                &mut png,
                &bytes,
                width as u32,
                height as u32,
                image::ExtendedColorType::Rgba8,
                image::ImageFormat::Png,
            )
            .map_err(|e| Error::output(&path, e))?;
            crate::io::atomic::write(&path, png.get_ref())
        });
        match written {
            Ok(()) => Message::Written(path),
            Err(error) => Message::Failed(error),
        }
    });
}
