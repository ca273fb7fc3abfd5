//! Ranges of colours, fitted to a box when it is opened and left alone afterwards.

use egui::Context;

use super::HalodiApp;
use crate::field::Layer;
use crate::render::ColorScale;
use crate::ui::subject::{FieldId, Source as Field};
use crate::ui::view_state::Quantity;

impl HalodiApp {
    /// Take the range that suits the field on show, once.
    pub(in crate::ui) fn fit_range(&mut self) {
        if self.shown.is_some() {
            self.analysis.refit();
        }
    }

    /// Colour ranges of the field on show and of the one it is compared with: one and the
    /// same where both hold the same.
    pub(in crate::ui) fn scales(&self) -> [ColorScale; 2] {
        let quantity = self.shown.as_ref().map_or(Quantity::Matter, |(field, _)| field.quantity);
        [self.view.scale(quantity); 2]
    }

    /// Fit colour ranges to a box when it is opened, those of a band of wavenumbers when it is
    /// chosen, and leave them alone afterwards.
    pub(super) fn fit(&mut self, ctx: &Context) {
        let asked = self.analysis.asked_to_fit();
        // The ranges of a talk are those of its scenes.
        if self.presents() && !asked {
            return;
        }
        let shown = self.shown.as_ref().map(|(shown, _)| shown.clone());
        let of = if asked { shown } else { self.unfitted(ctx, shown) };
        let Some(of) = of else { return };
        // Colours and stretch stay those that were chosen.
        let scale = self.view.scale(of.quantity);
        if let Some([low, high]) = self.analysis.suggested(ctx, &of, scale) {
            self.view.scales.insert(of.quantity, scale.with_ends(low, high));
            self.fitted.insert(of.quantity, self.band_of(of.quantity));
            self.analysis.fitted();
        }
    }

    /// The field that a range which was not fitted yet, and has no limits of the user's, fits.
    fn unfitted(&mut self, ctx: &Context, shown: Option<Field>) -> Option<Field> {
        // One range for prediction and reference, known before the first is made.
        let reference = self.subject.field(FieldId::Layer(Layer::Reference));
        if let Some(reference) = reference.filter(|_| !self.is_fitted(Quantity::Temperature)) {
            return Some(reference);
        }
        let of = shown.filter(|shown| shown.complete)?;
        let waits = match of.quantity {
            Quantity::Temperature | Quantity::HaloMass(_) => true,
            // A band that is still being dragged is not yet the one that is wanted.
            quantity => quantity.is_band() && ctx.input(|input| input.pointer.any_down()),
        };
        (!waits && !self.is_fitted(of.quantity)).then_some(of)
    }

    fn is_fitted(&mut self, quantity: Quantity) -> bool {
        let band = self.band_of(quantity);
        if let Some(fitted) = self.fitted.get(&quantity) {
            return *fitted == band;
        }
        // Limits that a session or the user brought are as good as fitted; colours alone are not.
        let (usual, scale) = (quantity.default_scale(), self.view.scale(quantity));
        let own = [scale.low, scale.high] != [usual.low, usual.high];
        if own {
            self.fitted.insert(quantity, band);
        }
        own
    }

    /// The band of wavenumbers that a quantity is of.
    fn band_of(&self, quantity: Quantity) -> Option<[f64; 2]> {
        self.view.band.filter(|_| quantity.is_band())
    }
}
