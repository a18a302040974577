//! Work that is done once, however many wait for it, and to its end, whoever
//! goes away.

use core::hash::Hash;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;

type Waiting<V> = watch::Receiver<Option<V>>;

/// The work that is under way, by its key.
pub(crate) struct Flights<K, V>(Arc<Mutex<HashMap<K, Waiting<V>>>>);

impl<K, V> Flights<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// The result of the work under that key: of the one that is under way, or
    /// of this. `None`: it is not there within `patience`; the work goes on.
    pub(crate) async fn join<W>(&self, key: K, patience: Duration, work: W) -> Option<V>
    where
        W: Future<Output = V> + Send + 'static,
    {
        let mut waiting = self.begin(key, work);
        let result = tokio::time::timeout(patience, waiting.wait_for(Option::is_some)).await;
        // An error of the inner one: the work has panicked.
        result.ok()?.ok()?.clone()
    }

    /// Begins the work, if none is under way under that key.
    pub(crate) fn start<W>(&self, key: K, work: W)
    where
        W: Future<Output = V> + Send + 'static,
    {
        drop(self.begin(key, work));
    }

    fn begin<W>(&self, key: K, work: W) -> Waiting<V>
    where
        W: Future<Output = V> + Send + 'static,
    {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = flights.get(&key) {
            return waiting.clone();
        }
        let (done, waiting) = watch::channel(None);
        flights.insert(key.clone(), waiting.clone());
        let entry = Entry {
            flights: Arc::clone(&self.0),
            key,
        };
        tokio::spawn(async move {
            let result = work.await;
            // Whoever comes from now on begins anew.
            drop(entry);
            done.send_replace(Some(result));
        });
        waiting
    }

    /// Waits until nothing is under way.
    pub(crate) async fn drain(&self) {
        loop {
            let next = {
                let flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                flights.values().next().cloned()
            };
            let Some(mut next) = next else { return };
            // An error: the work has panicked, and is not under way either.
            let _ = next.wait_for(Option::is_some).await;
            tokio::task::yield_now().await;
        }
    }
}

/// Takes the work from the list, also if it panics.
struct Entry<K: Eq + Hash, V> {
    flights: Arc<Mutex<HashMap<K, Waiting<V>>>>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for Entry<K, V> {
    fn drop(&mut self) {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        flights.remove(&self.key);
    }
}

/// Work of which each piece is done for itself, and to its end.
pub(crate) struct Running(watch::Sender<usize>);

impl Running {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    /// Begins the work, which goes on if nobody waits for it.
    pub(crate) fn spawn<W>(&self, work: W) -> JoinHandle<W::Output>
    where
        W: Future<Output: Send> + Send + 'static,
    {
        self.0.send_modify(|count| *count = count.saturating_add(1));
        let one = One(self.0.clone());
        tokio::spawn(async move {
            let _one = one;
            work.await
        })
    }

    /// Waits until nothing is under way.
    pub(crate) async fn drain(&self) {
        // No error: the sender is here.
        let _ = self.0.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// Is counted until it is dropped, also if the work panics.
struct One(watch::Sender<usize>);

impl Drop for One {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn many_that_wait_for_the_same_work_share_one() {
        let flights = Flights::<u8, u32>::new();
        let runs = Arc::new(AtomicU32::new(0));
        let work = || {
            let runs = Arc::clone(&runs);
            async move {
                tokio::task::yield_now().await;
                runs.fetch_add(1, Ordering::SeqCst)
            }
        };
        let (a, b, other) = tokio::join!(
            flights.join(1, LONG, work()),
            flights.join(1, LONG, work()),
            flights.join(2, LONG, work()),
        );
        assert_eq!(a, b);
        assert_ne!(a, other);
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        flights.join(1, LONG, work()).await;
        assert_eq!(runs.load(Ordering::SeqCst), 3, "what is done is done again");
    }

    #[tokio::test]
    async fn the_work_goes_on_without_who_asked_for_it() {
        let flights = Flights::<u8, u8>::new();
        let (go, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let work = {
            let (go, gone) = (Arc::clone(&go), Arc::clone(&gone));
            async move {
                go.notified().await;
                gone.notify_one();
                7
            }
        };
        let impatient = flights.join(1, Duration::from_millis(1), work).await;
        assert_eq!(impatient, None);
        let joined = flights.join(1, LONG, async { 8 });
        go.notify_one();
        assert_eq!(joined.await, Some(7));
        gone.notified().await;
        flights.drain().await;
    }

    #[tokio::test]
    async fn work_that_panics_does_not_stay_in_the_way() {
        let flights = Flights::<u8, u8>::new();
        let first = flights.join(1, LONG, async { panic!("on purpose") }).await;
        assert_eq!(first, None);
        assert_eq!(flights.join(1, LONG, async { 2 }).await, Some(2));
        flights.drain().await;
    }

    #[tokio::test]
    async fn draining_waits_for_work_that_nobody_waits_for() {
        let running = Running::new();
        let go = Arc::new(Notify::new());
        drop(running.spawn({
            let go = Arc::clone(&go);
            async move { go.notified().await }
        }));
        drop(running.spawn(async { panic!("on purpose") }));
        let drained = running.drain();
        tokio::pin!(drained);
        let early = tokio::time::timeout(Duration::from_millis(10), &mut drained).await;
        assert!(early.is_err());
        go.notify_one();
        tokio::time::timeout(LONG, drained).await.unwrap();
    }
}
