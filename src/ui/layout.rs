//! Where panels are, as it is written: by a session, and by what a restart brings back.

use egui_tiles::{Container, Tile, TileId, Tiles, Tree};
use serde::{Deserialize, Serialize};

use super::workspace::Pane;

/// Which panels are open, and where.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Layout {
    /// Where the panels are; `None` where they are at first.
    pub arrangement: Option<Arrangement>,
    /// The panel that fills the window.
    pub maximised: Option<Pane>,
    /// Whether the drawer is open.
    pub drawer: bool,
}

/// A tree of panels, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Arrangement {
    /// A panel.
    Pane(Pane),
    /// One over the other; the first is on top.
    Tabs(Vec<Arrangement>),
    /// Side by side, with their shares of the width.
    Across(Vec<(f32, Arrangement)>),
    /// One above the other, with their shares of the height.
    Down(Vec<(f32, Arrangement)>),
}

impl Arrangement {
    /// That of a tree.
    pub fn of(tree: &Tree<Pane>) -> Option<Self> {
        Self::of_tile(&tree.tiles, tree.root()?)
    }

    fn of_tile(tiles: &Tiles<Pane>, id: TileId) -> Option<Self> {
        let all = |children: &[TileId]| children.iter().filter_map(|&c| Self::of_tile(tiles, c)).collect::<Vec<_>>();
        Some(match tiles.get(id)? {
            Tile::Pane(pane) => Self::Pane(*pane),
            Tile::Container(Container::Tabs(tabs)) => {
                let mut children = tabs.children.clone();
                // The one on top first.
                children.sort_by_key(|c| Some(*c) != tabs.active);
                match all(&children) {
                    mut one if one.len() == 1 => one.remove(0),
                    several => Self::Tabs(several),
                }
            }
            Tile::Container(Container::Linear(linear)) => {
                let children = linear
                    .children
                    .iter()
                    .filter_map(|&c| Some((linear.shares[c], Self::of_tile(tiles, c)?)))
                    .collect();
                match linear.dir {
                    egui_tiles::LinearDir::Horizontal => Self::Across(children),
                    egui_tiles::LinearDir::Vertical => Self::Down(children),
                }
            }
            Tile::Container(Container::Grid(grid)) => {
                let children: Vec<TileId> = grid.children().copied().collect();
                Self::Across(all(&children).into_iter().map(|c| (1.0, c)).collect())
            }
        })
    }

    /// The tree, if every panel is in it once and no share is nonsense.
    pub fn tree(&self) -> Option<Tree<Pane>> {
        let mut panes = Vec::new();
        self.panes(&mut panes)?;
        let complete = panes.len() == Pane::ALL.len() && Pane::ALL.iter().all(|p| panes.contains(p));
        if !complete {
            return None;
        }
        let mut tiles = Tiles::default();
        let root = self.insert(&mut tiles);
        Some(Tree::new(egui::Id::unique("workspace"), root, tiles))
    }

    fn panes(&self, into: &mut Vec<Pane>) -> Option<()> {
        match self {
            Self::Pane(pane) => into.push(*pane),
            Self::Tabs(children) => children.iter().try_for_each(|c| c.panes(into))?,
            Self::Across(children) | Self::Down(children) => {
                if children.is_empty() || children.iter().any(|(share, _)| !(0.001..1000.0).contains(share)) {
                    return None;
                }
                children.iter().try_for_each(|(_, c)| c.panes(into))?;
            }
        }
        Some(())
    }

    fn insert(&self, tiles: &mut Tiles<Pane>) -> TileId {
        match self {
            Self::Pane(pane) => tiles.insert_pane(*pane),
            Self::Tabs(children) => {
                let children = children.iter().map(|c| c.insert(tiles)).collect();
                tiles.insert_tab_tile(children)
            }
            Self::Across(children) | Self::Down(children) => {
                let ids: Vec<TileId> = children.iter().map(|(_, c)| c.insert(tiles)).collect();
                let id = match self {
                    Self::Across(_) => tiles.insert_horizontal_tile(ids.clone()),
                    _ => tiles.insert_vertical_tile(ids.clone()),
                };
                if let Some(Tile::Container(Container::Linear(linear))) = tiles.get_mut(id) {
                    for (child, (share, _)) in ids.into_iter().zip(children) {
                        linear.shares.set_share(child, *share);
                    }
                }
                id
            }
        }
    }
}

/// The volume and its colours at the left, flat views beside them, spectra and seams at the right.
impl Default for Arrangement {
    fn default() -> Self {
        let flat = [2, 1, 0].map(|axis| (1.0, Self::Pane(Pane::Slice(axis))));
        Self::Across(vec![
            (0.52, Self::Down(vec![(0.80, Self::Pane(Pane::Volume)), (0.20, Self::Pane(Pane::Colors))])),
            (0.19, Self::Down(flat.to_vec())),
            (0.29, Self::Tabs([Pane::Spectra, Pane::Seams].map(Self::Pane).to_vec())),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrangement_comes_back_and_one_without_every_panel_does_not() {
        let arrangement = Arrangement::default();
        let tree = arrangement.tree().unwrap();
        assert_eq!(Arrangement::of(&tree), Some(arrangement));
        assert!(Arrangement::Pane(Pane::Volume).tree().is_none());
        let Arrangement::Across(mut columns) = Arrangement::default() else { panic!("columns") };
        columns[0].0 = f32::NAN;
        assert!(Arrangement::Across(columns).tree().is_none());
    }
}
