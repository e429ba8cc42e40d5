//! Named effect points at which a test may make the host fail or die.
//!
//! Every effect port calls [`Faults::step`] with its name: `store.begin`, `store.commit`, `store.committed`, `http.send`,
//! `http.answer`, `guest.call`. The product runs with [`NoFaults`].

/// Decides what happens at an effect point.
pub trait Faults: Send + Sync {
    /// # Errors
    /// [`Injected`] when the test wants this effect to fail.
    fn step(&self, point: &'static str) -> Result<(), Injected>;
}

/// A fault that a test asked for.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("injected fault at {0}")]
pub struct Injected(pub &'static str);

/// Nothing fails.
#[derive(Debug, Default)]
pub struct NoFaults;

impl Faults for NoFaults {
    fn step(&self, _point: &'static str) -> Result<(), Injected> {
        Ok(())
    }
}
