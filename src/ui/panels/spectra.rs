//! Spectra: power, and how the prediction agrees with the reference.

use egui::{RichText, Ui, Vec2b};
use egui_plot::{FilledArea, HLine, Line, LineStyle, Plot, PlotPoint, PlotPoints, PlotUi, Span, VLine};

use crate::field::Layer;
use crate::pipeline::Series;
use crate::stats::{CrossSpectrum, PowerSpectrum, power_spread};
use crate::ui::app::HalodiApp;
use crate::ui::reading::Reading;
use crate::ui::subject::{FieldId, Source};
use crate::ui::theme;
use crate::ui::view_state::Power;

/// Room between the plots, points.
const GAP: f32 = 7.0;

/// A plot of the column.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Power,
    Ratio,
    Correlation,
    Transfer,
}

/// A curve in the coordinates of a plot.
struct Curve {
    name: String,
    series: Series,
    /// Whether it is a field of the job itself, and none beside it.
    own: bool,
    points: Vec<[f64; 2]>,
}

/// Two fields whose power is compared.
struct Against<'a> {
    fields: [Source; 2],
    cross: &'a CrossSpectrum,
}

impl Against<'_> {
    /// Those of the two that have no curve among the job's: what they are called, in few words
    /// and in full, the colour that they share, and their spectrum.
    fn further(&self) -> impl Iterator<Item = (String, &str, Series, &PowerSpectrum)> {
        let spectra = [&self.cross.first, &self.cross.second];
        let series = [Series::Prediction, Series::Reference];
        let own = [Layer::BrightnessTemperature, Layer::Reference].map(FieldId::Layer);
        let all = self.fields.iter().zip(series).zip(spectra);
        all.filter(move |((field, _), _)| !own.contains(&field.id))
            .map(|((field, series), power)| (Reading::of(field.clone()).short_name(), &*field.name, series, power))
    }

    fn names(&self) -> [&str; 2] {
        [&self.fields[0].name, &self.fields[1].name]
    }

    fn is_of_reference(&self) -> bool {
        self.fields[1].id == FieldId::Layer(Layer::Reference)
    }
}

/// Show it.
pub fn show(app: &mut HalodiApp, ui: &mut Ui) {
    ui.add_space(3.0);
    ui.horizontal(|ui| {
        ui.add_space(6.0);
        if !app.presents() {
            ui.selectable_value(&mut app.view.power, Power::Spectrum, "P(k)")
                .on_hover_text("Power per mode: the variance of the field in waves of wavenumber k");
            ui.selectable_value(&mut app.view.power, Power::Dimensionless, "Δ²(k)")
                .on_hover_text("k³P/2π²: the variance per e-fold of wavenumber");
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.add_space(6.0);
            legend(app, ui);
        });
    });
    if app.subject.job.spectra.is_empty() {
        ui.centered_and_justified(|ui| ui.weak("Spectra appear as fields are made."));
        return;
    }
    let ctx = ui.ctx().clone();
    let pair = app.analysis.against(&ctx, &app.subject, &app.view);
    let cross = pair.as_ref().and_then(|pair| app.analysis.cross(&ctx, pair));
    let against = pair.zip(cross.as_deref().and_then(Option::as_ref));
    let against = against.map(|(fields, cross)| Against { fields, cross });
    let against = against.as_ref();
    let draws = app.analysis.realisations(&ctx, &app.subject);
    let bands = bands(app, ui.visuals(), draws.as_deref().map_or(&[], Vec::as_slice));
    key(ui, &bands, against);
    let height = ui.available_height() - 4.0;
    let kinds: &[(Kind, f32)] = if against.is_some() && height > 330.0 {
        &[(Kind::Power, 0.40), (Kind::Ratio, 0.22), (Kind::Correlation, 0.18), (Kind::Transfer, 0.20)]
    } else if against.is_some() {
        &[(Kind::Power, 0.6), (Kind::Ratio, 0.4)]
    } else {
        &[(Kind::Power, 1.0)]
    };
    let last = kinds.len() - 1;
    ui.spacing_mut().item_spacing.y = GAP;
    let margin = egui::Margin { left: 8, right: 6, top: 0, bottom: 4 };
    egui::Frame::new().inner_margin(margin).show(ui, |ui| {
        for (index, &(kind, share)) in kinds.iter().enumerate() {
            plot(app, ui, kind, share * (height - GAP * last as f32), index == last, (against, &bands));
        }
    });
}

fn legend(app: &HalodiApp, ui: &mut Ui) {
    ui.spacing_mut().item_spacing.x = 7.0;
    let visuals = ui.visuals().clone();
    for &series in app.subject.job.spectra.keys().rev() {
        let (name, meaning) = match series {
            Series::DarkMatter => ("DM".to_owned(), series.name()),
            Series::HaloMass(bin) => (format!("H{}", bin + 1), series.name()),
            Series::Prediction => ("21 cm".to_owned(), series.name()),
            Series::Reference => ("Ref".to_owned(), series.name()),
        };
        ui.label(RichText::new(name).small().strong().color(theme::series_color(series, &visuals)))
            .on_hover_text(meaning);
    }
}

/// How far spectra of one kind lie apart, as a band in the plots.
struct Band {
    /// What it is, in as many words as there is room for.
    names: [String; 2],
    meaning: String,
    color: egui::Color32,
    /// Of each shell: wavenumber, mean power less and plus the standard deviation.
    shells: Vec<[f64; 3]>,
}

impl Band {
    fn new(names: [String; 2], meaning: String, color: egui::Color32, draws: &[PowerSpectrum]) -> Option<Self> {
        let first = draws.first().filter(|_| draws.len() > 1)?;
        let [mean, deviation] = power_spread(draws);
        let shell = |i: usize| [first.k[i], mean[i] - deviation[i], mean[i] + deviation[i]];
        let shells = (0..first.complete_shells().min(mean.len())).map(shell).collect();
        Some(Self { names, meaning, color, shells })
    }
}

/// The bands that there are: of the truth, and of the prediction's realisations.
fn bands(app: &HalodiApp, visuals: &egui::Visuals, realisations: &[PowerSpectrum]) -> Vec<Band> {
    let draws = &app.subject.job.reference_draws;
    let count = draws.len();
    let truth = Band::new(
        [format!("truth ±1σ, {count} draws"), "truth ±1σ".to_owned()],
        format!(
            "Mean and standard deviation of {count} draws of the reference: the same dark matter and haloes, other \
             scatter of their hydrogen. Another draw lies within two times in three."
        ),
        theme::series_color(Series::Reference, visuals),
        draws,
    );
    let count = realisations.len();
    let predicted = Band::new(
        [format!("prediction ±1σ, {count} realisations"), "prediction ±1σ".to_owned()],
        format!(
            "Mean and standard deviation of {count} realisations of the prediction: the same dark matter, other noise."
        ),
        theme::series_color(Series::Prediction, visuals),
        realisations,
    );
    [truth, predicted].into_iter().flatten().collect()
}

/// What the bands and the dashed curves mean, a line.
fn key(ui: &mut Ui, bands: &[Band], against: Option<&Against>) {
    if bands.is_empty() && against.is_none() {
        return;
    }
    let tenth = ui.visuals().weak_text_color().gamma_multiply(0.5);
    let mut entries = Vec::new();
    if let Some(against) = against {
        let [first, second] = against.names();
        let meaning = format!("The ratios are those of {first} to {second}; the band is 10 % about the same power.");
        entries.push((["±10 %".to_owned(), "±10 %".to_owned()], meaning, tenth, false));
        for (short, name, series, _) in against.further() {
            let color = theme::series_color(series, ui.visuals());
            entries.push(([short.clone(), short], format!("Power of {name}: the dashed curve."), color, true));
        }
    }
    entries.extend(bands.iter().map(|b| (b.names.clone(), b.meaning.clone(), b.color.gamma_multiply(0.5), false)));
    let font = egui::FontId::proportional(11.0);
    let width = |text: &str| ui.painter().layout_no_wrap(text.to_owned(), font.clone(), tenth).size().x + 26.0;
    let long: f32 = entries.iter().map(|(names, ..)| width(&names[0])).sum();
    let which = usize::from(long > ui.available_width() - 12.0);
    ui.horizontal(|ui| {
        ui.add_space(8.0);
        ui.spacing_mut().item_spacing.x = 4.0;
        for (names, meaning, color, dashed) in entries {
            let (swatch, _) = ui.allocate_exact_size(egui::vec2(10.0, 10.0), egui::Sense::hover());
            if dashed {
                for half in [swatch.with_max_x(swatch.left() + 4.0), swatch.with_min_x(swatch.right() - 4.0)] {
                    ui.painter().hline(half.x_range(), swatch.center().y, egui::Stroke::new(2.0, color));
                }
            } else {
                ui.painter().rect_filled(swatch, 2.0, color);
            }
            ui.label(RichText::new(&names[which]).size(11.0).weak()).on_hover_text(meaning);
            ui.add_space(4.0);
        }
    });
}

/// The label of an axis of power, in the units of the curves that are drawn.
fn power_label(power: Power, curves: &[Curve], height: f32) -> String {
    let temperature = |curve: &Curve| matches!(curve.series, Series::Prediction | Series::Reference);
    let (any, all) = (curves.iter().any(temperature), curves.iter().all(temperature));
    let unit = match power {
        Power::Spectrum if any && all => "P  [mK² (Mpc/h)³]",
        Power::Spectrum => "P  [(Mpc/h)³]",
        Power::Dimensionless if any && all => "Δ²  [mK²]",
        Power::Dimensionless => "Δ²",
    };
    match (any && !all, height > 170.0) {
        (true, true) => format!("{unit} (21 cm: × mK²)"),
        (true, false) => format!("{unit} (× mK²)"),
        (false, _) => unit.to_owned(),
    }
}

fn decade(value: f64) -> String {
    if (value - value.round()).abs() > 1e-6 {
        return String::new();
    }
    match value.round() as i32 {
        power @ -2..=3 => format!("{}", 10f64.powi(power)),
        power => format!("1e{power}").replace('-', "−"),
    }
}

fn plot(
    app: &mut HalodiApp,
    ui: &mut Ui,
    kind: Kind,
    height: f32,
    last: bool,
    (against, bands): (Option<&Against>, &[Band]),
) {
    let logarithmic = kind == Kind::Power;
    let curves = curves(app, kind, against);
    let [first_name, second_name] = against.map_or([""; 2], Against::names);
    let (id, label, meaning) = match kind {
        Kind::Power => (
            "power",
            power_label(app.view.power, &curves, height),
            match app.view.power {
                Power::Spectrum => "Power spectra: of dark matter and haloes in (Mpc/h)³, of 21 cm in mK² (Mpc/h)³",
                Power::Dimensionless => "Dimensionless power: of dark matter and haloes a number, of 21 cm in mK²",
            }
            .to_owned(),
        ),
        Kind::Ratio => (
            "ratio",
            if against.is_none_or(Against::is_of_reference) { "P / P ref" } else { "P / P₂" }.to_owned(),
            format!("Power of {first_name} over that of {second_name}; the band is ±10 %"),
        ),
        Kind::Correlation => (
            "correlation",
            "r(k)".to_owned(),
            format!("Whether {first_name} has its waves where {second_name} has them: 1 is every one in place"),
        ),
        Kind::Transfer => (
            "transfer",
            "T(k)".to_owned(),
            format!(
                "Amplitude of the waves of {first_name} over that of {second_name}: the square root of the ratio of power"
            ),
        ),
    };
    let spectra = &app.subject.job.spectra;
    let nyquist = spectra.values().next().map(|s| s.k_nyquist.log10());
    let first = spectra.values().filter_map(|s| s.k.first()).fold(f64::INFINITY, |a, &b| a.min(b)).log10();
    let end = nyquist.unwrap_or(first + 1.0) + 0.04;
    let areas: Vec<_> = bands.iter().filter_map(|b| Some((area(app, kind, b, against)?, b.color))).collect();
    let visuals = ui.visuals().clone();
    let band = app.view.band.map(|b| b.map(f64::log10));
    let grid = visuals.weak_text_color();
    let group = egui::Id::unique("spectra");
    // Room for the labels, the same in every plot, so that their axes are in line.
    let mut plot = Plot::new(id)
        .height(height)
        .show_axes(Vec2b::new(last, true))
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .show_background(false)
        .grid_color(visuals.widgets.noninteractive.bg_stroke.color)
        .link_cursor(group, Vec2b::new(true, false))
        .y_axis_min_width(46.0)
        .y_axis_label(RichText::new(&label).small())
        .x_axis_formatter(|mark, _| decade(mark.value))
        .x_grid_spacer(decades)
        .y_axis_formatter(
            move |mark, _| if logarithmic { decade(mark.value) } else { super::significant_short(mark.value) },
        )
        .label_formatter(|_| None)
        .set_margin_fraction(egui::vec2(0.0, 0.06));
    if last {
        plot = plot.x_axis_label(RichText::new("k  [h/Mpc]").small());
    }
    plot = if logarithmic { plot.y_grid_spacer(decades) } else { plot.y_grid_spacer(tenths) };
    let bounds = match kind {
        Kind::Power => None,
        Kind::Ratio => Some(within(&curves, &areas, [0.75, 1.25], [0.3, 2.2])),
        Kind::Correlation => Some(within(&curves, &[], [0.6, 1.02], [-0.1, 1.02])),
        Kind::Transfer => Some(within(&curves, &[], [0.8, 1.2], [0.4, 1.6])),
    };
    let response = plot.show(ui, |plot| {
        plot.set_plot_bounds_x(first - 0.03..=end);
        match bounds {
            Some([low, high]) => plot.set_plot_bounds_y(low..=high),
            None => {
                let [low, high] = power_bounds(&curves, &areas);
                plot.set_plot_bounds_y(low..=high);
            }
        }
        if let Some(nyquist) = nyquist {
            plot.vline(
                VLine::new("k Nyquist", nyquist)
                    .color(grid.gamma_multiply(0.6))
                    .width(1.0)
                    .style(LineStyle::dashed_loose()),
            );
        }
        if let Some([low, high]) = band {
            plot.span(
                Span::new("band", low..=high)
                    .fill(theme::accent(&visuals).gamma_multiply(0.18))
                    .border_width(1.0)
                    .border_color(theme::accent(&visuals)),
            );
        }
        for ([xs, low, high], color) in &areas {
            let area = FilledArea::new("spread", xs, low, high).fill_color(color.gamma_multiply(0.25));
            plot.add(area.stroke(egui::Stroke::NONE).allow_hover(false));
        }
        guides(plot, kind, grid, [first - 0.03, end], &visuals);
        for Curve { name, series, own, points } in curves {
            let important = matches!(series, Series::Prediction | Series::Reference);
            let line = Line::new(name, PlotPoints::from(points)).color(theme::series_color(series, &visuals));
            let line = if own { line } else { line.style(LineStyle::dashed_dense()) };
            plot.line(line.width(if important { 2.2 } else { 1.2 }));
        }
        plot.pointer_coordinate()
    });
    let pointer = response.inner;
    let transform = response.transform;
    let response = response.response;
    response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::Canvas, true, format!("Plot of {label}")));
    brush(app, ui, &response, |p| transform.value_from_position(p).x);
    if let Some(PlotPoint { x, .. }) = pointer.filter(|_| response.hovered()) {
        let k = 10f64.powf(x);
        read_out(app, ui, &response, kind, k, against);
    }
    // Over the plot itself it would hide the curves.
    let axis = response.rect.with_min_x(ui.max_rect().left()).with_max_x(response.rect.left());
    ui.interact(axis, response.id.with("meaning"), egui::Sense::hover()).on_hover_text(meaning);
}

/// A band in the coordinates of a plot: wavenumbers, low, high.
fn area(app: &HalodiApp, kind: Kind, band: &Band, against: Option<&Against>) -> Option<[Vec<f64>; 3]> {
    let second = against.map(|against| &against.cross.second);
    let mut area = [Vec::new(), Vec::new(), Vec::new()];
    for (shell, &[k, low, high]) in band.shells.iter().enumerate() {
        let ends = match kind {
            Kind::Power if app.view.power == Power::Dimensionless => {
                [low, high].map(|p| (k.powi(3) * p / (2.0 * std::f64::consts::PI.powi(2))).log10())
            }
            Kind::Power => [low, high].map(f64::log10),
            Kind::Ratio => {
                let of = *second?.power.get(shell)?;
                [low / of, high / of]
            }
            Kind::Correlation | Kind::Transfer => return None,
        };
        if ends.iter().all(|v| v.is_finite()) {
            area[0].push(k.log10());
            area[1].push(ends[0]);
            area[2].push(ends[1]);
        }
    }
    (!area[0].is_empty()).then_some(area)
}

/// Values under the cursor, in the corner of the plot.
fn read_out(app: &HalodiApp, ui: &Ui, response: &egui::Response, kind: Kind, k: f64, against: Option<&Against>) {
    let mut text = format!("k = {k:.3} h/Mpc");
    for Curve { series, points, .. } in curves(app, kind, against) {
        let matters = kind != Kind::Power
            || matches!(series, Series::Prediction | Series::Reference)
            || app.subject.job.spectra.len() < 3;
        let nearest = points.iter().min_by(|a, b| (a[0] - k.log10()).abs().total_cmp(&(b[0] - k.log10()).abs()));
        if let (true, Some([_, y])) = (matters, nearest) {
            let value = if kind == Kind::Power { 10f64.powf(*y) } else { *y };
            text += &format!("   {}", super::significant(value));
        }
    }
    let painter = ui.painter_at(response.rect);
    let font = egui::FontId::monospace(11.0);
    let galley = painter.layout_no_wrap(text, font, ui.visuals().text_color());
    let at = response.rect.right_top() + egui::vec2(-galley.size().x - 8.0, 4.0);
    painter.rect_filled(
        egui::Rect::from_min_size(at, galley.size()).expand(3.0),
        3.0,
        ui.visuals().panel_fill.gamma_multiply(0.85),
    );
    painter.galley(at, galley, ui.visuals().text_color());
}

/// Lines and bands to judge by.
fn guides(plot: &mut PlotUi<'_>, kind: Kind, color: egui::Color32, [left, right]: [f64; 2], visuals: &egui::Visuals) {
    match kind {
        Kind::Power => {}
        Kind::Ratio => {
            let band = FilledArea::new("within 10 %", &[left, right], &[0.9, 0.9], &[1.1, 1.1]);
            plot.add(
                band.fill_color(visuals.weak_text_color().gamma_multiply(0.22))
                    .stroke(egui::Stroke::NONE)
                    .allow_hover(false),
            );
            plot.hline(HLine::new("equal", 1.0).color(color).width(1.0));
        }
        Kind::Correlation | Kind::Transfer => plot.hline(HLine::new("equal", 1.0).color(color).width(1.0)),
    }
}

/// Drag across a plot to choose a band of wavenumbers; click to end it.
fn brush(app: &mut HalodiApp, ui: &Ui, response: &egui::Response, k_of: impl Fn(egui::Pos2) -> f64) {
    let id = egui::Id::unique("brush");
    let Some(p) = response.interact_pointer_pos() else {
        if response.clicked() {
            app.view.band = None;
        }
        return;
    };
    if response.drag_started() {
        let from = ui.input(|i| i.pointer.press_origin()).unwrap_or(p);
        ui.data_mut(|d| d.insert_temp(id, k_of(from)));
    } else if response.dragged()
        && let Some(from) = ui.data(|d| d.get_temp::<f64>(id))
    {
        let to = k_of(p);
        if (to - from).abs() > 0.03 {
            app.view.band = Some([from.min(to), from.max(to)].map(|v| 10f64.powf(v)));
        }
    } else if response.clicked() {
        app.view.band = None;
    }
}

/// Marks at powers of ten, with fainter ones between.
fn decades(input: egui_plot::GridInput) -> Vec<egui_plot::GridMark> {
    let (low, high) = (input.bounds.0.floor() as i32, input.bounds.1.ceil() as i32);
    // Tall spans have a mark every other decade or so.
    let every = ((high - low) / 7 + 1).max(1);
    let mut marks = Vec::new();
    for power in low..=high {
        if power.rem_euclid(every) == 0 && clear_of_ends(f64::from(power), input.bounds) {
            marks.push(egui_plot::GridMark { value: f64::from(power), step_size: f64::from(every) });
        }
        if every == 1 {
            marks.extend(
                (2..10)
                    .map(|i| egui_plot::GridMark { value: f64::from(power) + f64::from(i).log10(), step_size: 0.05 }),
            );
        }
    }
    marks
}

/// Whether a label there stays clear of the plot above and below.
fn clear_of_ends(value: f64, (low, high): (f64, f64)) -> bool {
    let margin = 0.05 * (high - low);
    value > low + margin && value < high - margin
}

/// Marks at tenths, or at fifths where there is less room.
fn tenths(input: egui_plot::GridInput) -> Vec<egui_plot::GridMark> {
    let step = if input.bounds.1 - input.bounds.0 > 0.65 { 0.2 } else { 0.1 };
    let (first, last) = ((input.bounds.0 / step).ceil() as i32, (input.bounds.1 / step).floor() as i32);
    let values = (first..=last).map(|i| f64::from(i) * step).filter(|v| clear_of_ends(*v, input.bounds));
    values.map(|value| egui_plot::GridMark { value, step_size: 1.0 }).collect()
}

/// The span of curves and bands, at least `usual`, at most `most`.
fn within(curves: &[Curve], areas: &[([Vec<f64>; 3], egui::Color32)], usual: [f64; 2], most: [f64; 2]) -> [f64; 2] {
    let ends = areas.iter().flat_map(|([_, low, high], _)| low.iter().chain(high).copied());
    let values = curves.iter().flat_map(|curve| curve.points.iter().map(|p| p[1])).chain(ends);
    let values = values.filter(|v| v.is_finite());
    let (low, high) = values.fold((usual[0], usual[1]), |(low, high), v| (low.min(v - 0.03), high.max(v + 0.03)));
    [low.max(most[0]), high.min(most[1])]
}

/// Of power: the top of all curves, and no more decades below it than can be told apart.
fn power_bounds(curves: &[Curve], areas: &[([Vec<f64>; 3], egui::Color32)]) -> [f64; 2] {
    let ends = areas.iter().flat_map(|([_, low, high], _)| low.iter().chain(high).copied());
    let values: Vec<f64> = curves.iter().flat_map(|curve| curve.points.iter().map(|p| p[1])).chain(ends).collect();
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    if !high.is_finite() {
        return [-1.0, 1.0];
    }
    [low.max(high - 9.0) - 0.15, high + 0.15]
}

/// Every curve of a plot.
fn curves(app: &HalodiApp, kind: Kind, against: Option<&Against>) -> Vec<Curve> {
    let shells = |s: &PowerSpectrum, values: &[f64], map: fn(f64) -> f64| -> Vec<[f64; 2]> {
        let points = s.k.iter().zip(values).take(s.complete_shells());
        points.map(|(k, v)| [k.log10(), map(*v)]).filter(|p| p[1].is_finite()).collect()
    };
    let power = |s: &PowerSpectrum| match app.view.power {
        Power::Spectrum => shells(s, &s.power, f64::log10),
        Power::Dimensionless => shells(s, &s.dimensionless(), f64::log10),
    };
    if kind == Kind::Power {
        let own = app.subject.job.spectra.iter();
        let own = own.map(|(&series, s)| Curve { name: series.name(), series, own: true, points: power(s) });
        let further = against.into_iter().flat_map(Against::further);
        let further =
            further.map(|(_, name, series, s)| Curve { name: name.to_owned(), series, own: false, points: power(s) });
        return own.chain(further).collect();
    }
    let Some(Against { fields, cross }) = against else { return Vec::new() };
    let values = match kind {
        Kind::Correlation => cross.correlation(),
        Kind::Transfer => cross.transfer(),
        Kind::Power | Kind::Ratio => cross.first.power.iter().zip(&cross.second.power).map(|(a, b)| a / b).collect(),
    };
    let points = shells(&cross.first, &values, |v| v);
    vec![Curve { name: fields[0].name.clone(), series: Series::Prediction, own: true, points }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_of_power_has_the_units_of_what_is_drawn() {
        let label = |power, series: &[Series]| {
            let curve = |&series: &Series| Curve { name: series.name(), series, own: true, points: Vec::new() };
            power_label(power, &series.iter().map(curve).collect::<Vec<_>>(), 100.0)
        };
        use Series::{DarkMatter, HaloMass, Prediction, Reference};
        assert_eq!(label(Power::Spectrum, &[DarkMatter, HaloMass(2)]), "P  [(Mpc/h)³]");
        assert_eq!(label(Power::Spectrum, &[Prediction, Reference]), "P  [mK² (Mpc/h)³]");
        assert_eq!(label(Power::Spectrum, &[DarkMatter, Reference]), "P  [(Mpc/h)³] (× mK²)");
        assert_eq!(label(Power::Dimensionless, &[Prediction]), "Δ²  [mK²]");
        assert_eq!(label(Power::Dimensionless, &[DarkMatter, Prediction]), "Δ² (× mK²)");
    }
}
