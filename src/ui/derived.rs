//! What is worked out of fields on threads of its own, and kept until its inputs change.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

/// Least time between two computations of the same thing while its input keeps changing.
const PAUSE: Duration = Duration::from_millis(400);

/// A value that follows from a key, computed in the background.
pub struct Derived<K, V> {
    have: Option<(K, Arc<V>)>,
    pending: Option<(K, Receiver<V>)>,
    began: Option<Instant>,
    /// Whether what was asked for last is not there yet.
    behind: bool,
}

impl<K, V> Default for Derived<K, V> {
    fn default() -> Self {
        Self { have: None, pending: None, began: None, behind: false }
    }
}

impl<K: PartialEq + Clone, V: Send + 'static> Derived<K, V> {
    /// The newest value there is, and the key that it belongs to. Where that is not `key`,
    /// `compute` is on its way, and the window is painted again once it is there.
    pub fn get(
        &mut self,
        ctx: &egui::Context,
        key: &K,
        compute: impl FnOnce() -> V + Send + 'static,
    ) -> Option<(&K, &Arc<V>)> {
        self.listen();
        let current = self.have.as_ref().is_some_and(|(k, _)| k == key);
        self.behind = !current;
        if !current && self.pending.is_none() {
            let since = self.began.map_or(PAUSE, |t| t.elapsed());
            if since < PAUSE {
                ctx.request_repaint_after(PAUSE - since);
            } else {
                let (sender, receiver) = channel();
                let ctx = ctx.clone();
                std::thread::spawn(move || {
                    let _ = sender.send(compute());
                    ctx.request_repaint();
                });
                self.pending = Some((key.clone(), receiver));
                self.began = Some(Instant::now());
            }
        }
        self.have.as_ref().map(|(k, v)| (k, v))
    }

    /// Forget everything: the next value belongs to something else.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether something is being computed, or waits for its turn.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some() || self.behind
    }

    fn listen(&mut self) {
        if let Some((key, receiver)) = &self.pending {
            match receiver.try_recv() {
                Ok(value) => {
                    self.have = Some((key.clone(), Arc::new(value)));
                    self.pending = None;
                }
                // It broke off: nothing to show, and another input may do better.
                Err(TryRecvError::Disconnected) => self.pending = None,
                Err(TryRecvError::Empty) => {}
            }
        }
    }
}
