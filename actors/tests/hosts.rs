//! The engine runs in any host: under tokio, inside an actix system, in a plain thread with no executor.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use countersign::*;

async fn a_day_at_work(engine: &Countersign) {
    let account = "123456789012".parse().unwrap();
    let operator = || Request::by(Caller::operator());
    engine.open_account(operator(), account, DeviceName::new("root").unwrap()).await.unwrap();
    let id = UserId::new("AIDALEE").unwrap();
    let name = DeviceName::new("lee").unwrap();
    engine.register_user(operator(), account, id, name.clone(), Path::root()).await.unwrap();
    let made = engine.create_virtual_device(operator(), account, Path::root(), name).await.unwrap();
    assert_eq!(engine.device(&made.value.serial).unwrap().owner, None);
    engine.close().await.unwrap();
    let refused = engine.open_account(operator(), account, DeviceName::new("root").unwrap()).await;
    assert!(refused.unwrap_err().is_closed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_tokio() {
    a_day_at_work(&Countersign::in_memory(Config::default()).unwrap()).await;
}

#[test]
fn inside_an_actix_system() {
    actix_rt::System::new().block_on(async {
        a_day_at_work(&Countersign::in_memory(Config::default()).unwrap()).await;
    });
}

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn in_a_plain_thread() {
    block_on(a_day_at_work(&Countersign::in_memory(Config::default()).unwrap()));
}

#[test]
fn two_engines_in_one_process() {
    let (one, two) =
        (Countersign::in_memory(Config::default()).unwrap(), Countersign::in_memory(Config::default()).unwrap());
    let worker = std::thread::spawn(move || block_on(a_day_at_work(&one)));
    block_on(a_day_at_work(&two));
    worker.join().unwrap();
}

#[test]
fn dropping_the_last_handle_stops_everything() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let engine = Countersign::open(dir.path(), Config::default()).unwrap();
        assert_eq!(engine.accounts().len(), usize::from(round > 0));
        if round == 0 {
            let account = "123456789012".parse().unwrap();
            let root = DeviceName::new("root").unwrap();
            block_on(engine.open_account(Request::by(Caller::operator()), account, root)).unwrap();
        }
    }
}
