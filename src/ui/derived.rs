//! What is worked out of fields on threads of its own, and kept until its inputs change.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use super::priority;

/// Least time between two computations of the same thing.
const PAUSE: Duration = Duration::from_millis(400);
/// Of a field that is being made, at most one part in so many of the time goes into each thing
/// that follows from it: the networks need the processors.
const SHARE: u32 = 10;

/// A value that follows from a key, computed in the background.
pub struct Derived<K, V> {
    have: Option<(K, Arc<V>)>,
    pending: Option<(K, Receiver<(V, Duration)>)>,
    began: Option<Instant>,
    /// How long the last computation took.
    cost: Duration,
    /// Whether what was asked for last is not there yet.
    behind: bool,
}

impl<K, V> Default for Derived<K, V> {
    fn default() -> Self {
        Self { have: None, pending: None, began: None, cost: Duration::ZERO, behind: false }
    }
}

impl<K: PartialEq + Clone, V: Send + 'static> Derived<K, V> {
    /// The newest value there is, and the key that it belongs to. Where that is not `key`,
    /// `compute` is on its way, and the window is painted again once it is there. What follows
    /// from a field that is being made (`live`) is computed the less often the longer it takes.
    pub fn get(
        &mut self,
        ctx: &egui::Context,
        key: &K,
        live: bool,
        compute: impl FnOnce() -> V + Send + 'static,
    ) -> Option<(&K, &Arc<V>)> {
        self.listen();
        let current = self.have.as_ref().is_some_and(|(k, _)| k == key);
        self.behind = !current;
        if !current && self.pending.is_none() {
            let pause = if live { PAUSE.max(SHARE * self.cost) } else { PAUSE };
            let since = self.began.map_or(pause, |t| t.elapsed());
            if since < pause {
                ctx.request_repaint_after(pause - since);
            } else {
                let (sender, receiver) = channel();
                let ctx = ctx.clone();
                std::thread::spawn(move || {
                    priority::lower_this_thread();
                    let began = Instant::now();
                    let value = compute();
                    let _ = sender.send((value, began.elapsed()));
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

    /// A frame begins: what nobody asks for any more is not waited for.
    pub fn begin_frame(&mut self) {
        self.listen();
        self.behind = false;
    }

    /// Whether something is being computed, or waits for its turn.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some() || self.behind
    }

    fn listen(&mut self) {
        if let Some((key, receiver)) = &self.pending {
            match receiver.try_recv() {
                Ok((value, cost)) => {
                    self.have = Some((key.clone(), Arc::new(value)));
                    (self.pending, self.cost) = (None, cost);
                }
                // It broke off: nothing to show, and another input may do better.
                Err(TryRecvError::Disconnected) => self.pending = None,
                Err(TryRecvError::Empty) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ask until the value of `key` is there; how long that took.
    fn wait(derived: &mut Derived<u32, u32>, key: u32, live: bool, cost: Duration) -> Duration {
        let (ctx, began) = (egui::Context::default(), Instant::now());
        let compute = move || {
            std::thread::sleep(cost);
            10 * key
        };
        while derived.get(&ctx, &key, live, compute).is_none_or(|(have, value)| *have != key || **value != 10 * key) {
            assert!(began.elapsed() < Duration::from_secs(30), "{key} never comes");
            std::thread::sleep(Duration::from_millis(2));
        }
        began.elapsed()
    }

    #[test]
    fn what_costs_much_is_computed_less_often_while_its_field_is_made() {
        let cost = Duration::from_millis(120);
        let mut derived = Derived::default();
        assert!(wait(&mut derived, 1, true, cost) < PAUSE);
        assert!(!derived.is_pending());
        // The pause counts from the beginning of the computation before.
        assert!(wait(&mut derived, 2, true, cost) > SHARE * cost - 2 * cost);
        let mut derived = Derived::default();
        wait(&mut derived, 1, false, cost);
        assert!(wait(&mut derived, 2, false, cost) < SHARE * cost - 2 * cost);
    }
}
