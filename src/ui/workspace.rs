//! The arrangement of panels: a tree of tiles that can be resized, moved and maximised.

use egui::{Response, Ui, WidgetText};
use egui_tiles::{Behavior, SimplificationOptions, TileId, Tiles, Tree, UiResponse};
use serde::{Deserialize, Serialize};

use super::app::HalodiApp;
use super::icons::{self, Icon};
use super::layout::{Arrangement, Layout};
use super::panels::{histogram, seams, slice, spectra, volume};

/// A panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pane {
    /// The volume in perspective.
    Volume,
    /// A flat view across an axis.
    Slice(usize),
    /// The colour bar, which is the histogram.
    Colors,
    /// Spectra.
    Spectra,
    /// Seams between tiles.
    Seams,
}

impl Pane {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Volume, Self::Slice(2), Self::Slice(1), Self::Slice(0), Self::Colors, Self::Spectra, Self::Seams];

    /// Name for the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Volume => "Volume",
            Self::Slice(2) => "xy",
            Self::Slice(1) => "xz",
            Self::Slice(_) => "yz",
            Self::Colors => "Colours",
            Self::Spectra => "Spectra",
            Self::Seams => "Seams",
        }
    }
}

/// A part of the window, to be pointed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A panel.
    Pane(Pane),
    /// All panels.
    Panels,
    /// The bar at the top.
    TopBar,
    /// The bar over the panels.
    Toolbar,
    /// The bar of the job.
    JobBar,
    /// The line at the bottom.
    Status,
}

/// The arrangement, and what of it is hidden.
pub struct Workspace {
    tree: Option<Tree<Pane>>,
    /// The panel that fills the window.
    pub maximised: Option<Pane>,
    /// Whether the drawer is open.
    pub drawer: bool,
}

impl Workspace {
    /// As it was left.
    pub fn new(layout: &Layout) -> Self {
        let tree = layout.arrangement.as_ref().and_then(Arrangement::tree).or_else(|| Arrangement::default().tree());
        Self { tree, maximised: layout.maximised, drawer: layout.drawer }
    }

    /// The arrangement that Halodi comes with.
    pub fn reset(&mut self) {
        (self.tree, self.maximised) = (Arrangement::default().tree(), None);
    }

    /// Put the panels back where a frame broke off among them.
    pub fn mend(&mut self) {
        if self.tree.is_none() {
            self.reset();
        }
    }

    /// It, to be written.
    pub fn layout(&self) -> Layout {
        let arrangement = self.tree.as_ref().and_then(Arrangement::of);
        Layout { arrangement, maximised: self.maximised, drawer: self.drawer }
    }

    /// Let a panel fill the window, or bring the others back.
    pub fn toggle_maximised(&mut self, pane: Pane) {
        self.maximised = if self.maximised == Some(pane) { None } else { Some(pane) };
    }
}

/// Show the panels in the rest of the window.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    app.parts.push((Part::Panels, ui.available_rect_before_wrap()));
    if let Some(pane) = app.workspace.maximised.filter(|_| app.on_paper) {
        return pane_ui(app, ui, pane);
    }
    if let Some(pane) = app.workspace.maximised {
        ui.horizontal(|ui| {
            ui.add_space(4.0);
            ui.strong(title(app, pane));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if ui.button("Restore").on_hover_text("Show the other panels again (Esc)").clicked() {
                    app.workspace.maximised = None;
                }
                buttons(app, ui, pane);
            });
        });
        pane_ui(app, ui, pane);
        return;
    }
    let Some(mut tree) = app.workspace.tree.take() else { return };
    tree.ui(&mut Panes { app }, ui);
    // A command of this frame may have asked for another arrangement.
    app.workspace.tree.get_or_insert(tree);
}

/// Show a panel in the rest of `ui`.
pub(super) fn pane_ui(app: &mut HalodiApp, ui: &mut Ui, pane: Pane) {
    app.parts.push((Part::Pane(pane), ui.available_rect_before_wrap()));
    match pane {
        Pane::Volume => volume::show(app, ui),
        Pane::Slice(axis) => slice::show(app, ui, axis),
        Pane::Colors => histogram::show(app, ui),
        Pane::Spectra => spectra::show(app, ui),
        Pane::Seams => seams::show(app, ui),
    }
}

fn title(app: &HalodiApp, pane: Pane) -> String {
    match pane {
        Pane::Slice(axis) => slice::title(app, axis),
        pane => pane.name().to_owned(),
    }
}

/// Buttons of a panel's bar, from the right.
fn buttons(app: &mut HalodiApp, ui: &mut Ui, pane: Pane) {
    if let Pane::Slice(axis) = pane {
        slice::buttons(app, ui, axis);
    }
}

struct Panes<'a> {
    app: &'a mut HalodiApp,
}

impl Behavior<Pane> for Panes<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, _: TileId, pane: &mut Pane) -> UiResponse {
        pane_ui(self.app, ui, *pane);
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> WidgetText {
        title(self.app, *pane).into()
    }

    fn on_tab_button(&mut self, tiles: &mut Tiles<Pane>, tile: TileId, response: Response) -> Response {
        if response.double_clicked()
            && let Some(pane) = tiles.get_pane(&tile)
        {
            self.app.workspace.toggle_maximised(*pane);
        }
        response.on_hover_text("Drag to move the panel, double-click to maximise it")
    }

    fn top_bar_right_ui(&mut self, tiles: &Tiles<Pane>, ui: &mut Ui, _: TileId, tabs: &egui_tiles::Tabs, _: &mut f32) {
        // A figure has no buttons.
        let active = tabs.active.filter(|_| !self.app.on_paper);
        let Some(&pane) = active.and_then(|tile| tiles.get_pane(&tile)) else { return };
        ui.spacing_mut().button_padding = egui::vec2(5.0, 1.0);
        ui.add_space(4.0);
        let maximise = icons::button(ui, Icon::Maximise, &format!("Maximise {}", pane.name()), true);
        if maximise.on_hover_text("Maximise; Esc brings the others back").clicked() {
            self.app.workspace.toggle_maximised(pane);
        }
        buttons(self.app, ui, pane);
    }

    fn tab_bar_height(&self, _: &egui::Style) -> f32 {
        23.0
    }

    fn gap_width(&self, _: &egui::Style) -> f32 {
        4.0
    }

    fn min_size(&self) -> f32 {
        90.0
    }

    fn simplification_options(&self) -> SimplificationOptions {
        SimplificationOptions { all_panes_must_have_tabs: true, ..Default::default() }
    }
}
