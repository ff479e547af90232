//! A handler's future, bounded: it ends in time, and a panic in it costs no more than its own request.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// How a handler ended before its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Its time was over.
    Timeout,
    /// It panicked: a fault of ours.
    Panic,
}

/// Waits for `future` until `deadline` resolves.
pub(super) async fn bounded<T>(future: impl Future<Output = T>, deadline: impl Future<Output = ()>) -> Result<T, Cut> {
    let mut future = pin!(future);
    let mut deadline = pin!(deadline);
    poll_fn(move |context| {
        // Sound: after a panic the future is never polled again, only dropped.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Ready(value)) => return Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => {}
            Err(_) => return Poll::Ready(Err(Cut::Panic)),
        }
        deadline.as_mut().poll(context).map(|()| Err(Cut::Timeout))
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::task::{Context, Waker};

    use super::*;

    fn now<T>(future: impl Future<Output = T>) -> T {
        let Poll::Ready(value) = pin!(future).poll(&mut Context::from_waker(Waker::noop())) else { panic!("waits") };
        value
    }

    #[test]
    fn an_answer_goes_before_the_deadline() {
        assert_eq!(now(bounded(ready(7), ready(()))), Ok(7));
        assert_eq!(now(bounded(pending::<u8>(), ready(()))), Err(Cut::Timeout));
    }

    #[test]
    fn a_panic_stays_inside() {
        assert_eq!(now(bounded(async { panic!("as tests do") }, pending())), Err::<(), _>(Cut::Panic));
    }
}
