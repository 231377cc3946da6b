//! The outbound client against servers that break in every way.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, put};
use deskstream_connectors::http::{
    Backoff, Budget, Call, CallError, Cause, Client, ClientOptions, Domain, Effect, Hint,
};
use http::Method;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// A server that reads a request's head and does not answer; it counts them.
async fn mute(hang_up: bool) -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicU32::new(0)));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut head = [0; 4096];
                if stream.read(&mut head).await.unwrap() > 0 {
                    counted.fetch_add(1, Ordering::SeqCst);
                }
                if hang_up {
                    let _ = stream.shutdown().await;
                } else {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    (address, count)
}

fn client(address: SocketAddr) -> Client {
    deskstream_runtime::install_crypto_provider();
    let base = format!("http://{address}/").parse().unwrap();
    Client::new(ClientOptions {
        attempt: Duration::from_millis(300),
        total: Duration::from_secs(10),
        attempts: 3,
        backoff: Backoff { first: Duration::from_millis(10), most: Duration::from_millis(50) },
        per_window: 60_000,
        ..ClientOptions::new("test", "acme", base)
    })
    .unwrap()
}

fn write(url: &str) -> Call<'_> {
    Call::write("write", Method::PUT, url, "{}".into())
}

fn told(error: &CallError) -> (Effect, Domain, bool, u32) {
    (error.effect, error.domain(), error.retry(), error.attempts)
}

#[tokio::test]
async fn a_write_without_an_answer_is_uncertain_and_not_repeated() {
    for hang_up in [true, false] {
        let (address, count) = mute(hang_up).await;
        let error = client(address).call(&write("/x")).await.unwrap_err();
        assert_eq!(told(&error), (Effect::Unknown, Domain::External, true, 1), "{error}");
        assert_eq!(count.load(Ordering::SeqCst), 1);
        let error = client(address).call(&Call::get("read", "/x")).await.unwrap_err();
        assert_eq!((error.effect, error.attempts), (Effect::Unknown, 3), "a read is repeated: {error}");
    }
}

#[tokio::test]
async fn a_write_that_never_left_is_repeated() {
    // Bound and closed again: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = client(address).call(&write("/x")).await.unwrap_err();
    assert_eq!(told(&error), (Effect::None, Domain::External, true, 3), "{error}");
    assert!(matches!(error.cause, Cause::Connect(_)));
}

#[tokio::test]
async fn statuses_are_told_apart() {
    let router = Router::new().route(
        "/{status}",
        put(|path: axum::extract::Path<u16>| async move { StatusCode::from_u16(path.0).unwrap() }),
    );
    let client = client(serve(router).await);
    for (status, expected) in [
        (401, (Effect::None, Domain::User, false, 1)),
        (403, (Effect::None, Domain::User, false, 1)),
        (422, (Effect::None, Domain::Internal, false, 1)),
        (429, (Effect::None, Domain::External, true, 3)),
        (500, (Effect::Unknown, Domain::External, true, 1)),
        (503, (Effect::Unknown, Domain::External, true, 1)),
        (504, (Effect::Unknown, Domain::External, true, 1)),
    ] {
        let error = client.call(&write(&format!("/{status}"))).await.unwrap_err();
        assert_eq!(told(&error), expected, "{status}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, count) = mute(false).await;
    let target = format!("http://{elsewhere}/steal");
    let router = Router::new().route(
        "/x",
        get(move || {
            let target = target.clone();
            async move { (StatusCode::FOUND, [("location", target)]) }
        }),
    );
    let error = client(serve(router).await).call(&Call::get("read", "/x")).await.unwrap_err();
    assert_eq!((error.domain(), error.hint), (Domain::User, Hint::Never));
    assert_eq!(count.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_answer_is_bounded() {
    let router = Router::new().route("/x", get(|| async { "x".repeat(100_000) }));
    let base = format!("http://{}/", serve(router).await).parse().unwrap();
    deskstream_runtime::install_crypto_provider();
    let client =
        Client::new(ClientOptions { max_answer: 1000, ..ClientOptions::new("test", "acme", base) }).unwrap();
    let error = client.call(&Call::get("read", "/x")).await.unwrap_err();
    assert!(matches!(error.cause, Cause::AnswerTooLarge { limit: 1000 }), "{error}");
}

/// After enough failures in a row requests are held back, and tried again one by one.
#[tokio::test]
async fn the_circuit_opens_and_closes_again() {
    let healthy = Arc::new(AtomicU32::new(0));
    let state = Arc::clone(&healthy);
    let router = Router::new().route(
        "/x",
        get(move || {
            let healthy = state.load(Ordering::SeqCst) > 0;
            async move { if healthy { StatusCode::OK } else { StatusCode::BAD_GATEWAY } }
        }),
    );
    // A call ends well before the circuit, open for half a second and more, lets the next request try.
    let options = client(serve(router).await).options().clone();
    let client = Client::new(ClientOptions { total: Duration::from_millis(400), ..options }).unwrap();
    let opened = loop {
        let error = client.call(&Call::get("read", "/x")).await.unwrap_err();
        if matches!(error.cause, Cause::CircuitOpen) {
            break error;
        }
    };
    let uncertain = opened.effect == Effect::Unknown;
    assert_eq!(uncertain, opened.attempts > 0, "earlier attempts of the same call were answered by 502");
    healthy.store(1, Ordering::SeqCst);
    let deadline = Instant::now() + Duration::from_secs(20);
    while client.call(&Call::get("read", "/x")).await.is_err() {
        assert!(Instant::now() < deadline, "the circuit stays open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One endpoint's limit is no reason to hold back the account's other requests.
#[tokio::test]
async fn only_an_exhausted_account_waits_as_a_whole() {
    let router = Router::new()
        .route(
            "/hot",
            put(|| async {
                let headers =
                    [("retry-after", "600"), ("x-rate-limit", "700"), ("x-rate-limit-remaining", "650")];
                (StatusCode::TOO_MANY_REQUESTS, headers)
            }),
        )
        .route(
            "/other",
            get(|headers: HeaderMap| async move {
                assert!(headers.contains_key("x-request-id"));
            }),
        );
    let client = client(serve(router).await);
    let error = client.call(&write("/hot")).await.unwrap_err();
    assert_eq!((error.hint, error.attempts), (Hint::After(Duration::from_secs(600)), 1));
    client.call(&Call::get("read", "/other")).await.unwrap();
    assert_eq!(client.limits().limit, Some(700));
}

/// The endpoint's limit is learned and kept to without being refused once; reads of the account go on meanwhile.
#[tokio::test]
async fn an_endpoint_s_limit_is_kept() {
    const PER_WINDOW: u32 = 20;
    let (window, used) = (Duration::from_secs(1), Arc::new(Mutex::new((Instant::now(), 0u32))));
    let router = Router::new()
        .route(
            "/hot",
            put(move || async move {
                let mut used = used.lock().unwrap();
                if used.0.elapsed() >= window {
                    *used = (Instant::now(), 0);
                }
                used.1 += 1;
                let status = if used.1 > PER_WINDOW { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::OK };
                let remaining = PER_WINDOW.saturating_sub(used.1);
                let told = format!("total={PER_WINDOW}; remaining={remaining}; resets=1");
                (status, [("zendesk-ratelimit-hot", told), ("x-rate-limit", "60000".to_owned())])
            }),
        )
        .route("/other", get(|| async {}));
    deskstream_runtime::install_crypto_provider();
    let base = format!("http://{}/", serve(router).await).parse().unwrap();
    let client = Client::new(ClientOptions {
        window,
        per_window: 60_000,
        budgets: vec![Budget { name: "hot", per_window: 5 }],
        ..ClientOptions::new("test", "acme", base)
    })
    .unwrap();
    let hot = || async {
        let turn = client.reserve("write", "hot").await.unwrap();
        let call = Call { budget: Some("hot"), turn: Some(&turn), ..write("/hot") };
        client.call(&call).await.unwrap().attempts
    };
    let started = Instant::now();
    let writes = async {
        let attempts = futures::future::join_all((0..40).map(|_| hot())).await;
        (attempts, started.elapsed())
    };
    let reads = async {
        for _ in 0..40 {
            client.call(&Call::get("read", "/other")).await.unwrap();
        }
        started.elapsed()
    };
    let ((attempts, written), read) = tokio::join!(writes, reads);
    assert!(attempts.iter().all(|attempts| *attempts == 1), "none was refused: {attempts:?}");
    // Four fifths of 20 a second, after a burst.
    assert!(written > Duration::from_secs(2) && written < Duration::from_secs(20), "{written:?}");
    assert!(read < written / 2, "{read:?} of {written:?}");
}

/// The body can't be sent as half a request: a connection that breaks within the answer is uncertain too.
#[tokio::test]
async fn a_cut_answer_is_uncertain() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"ti").await.unwrap();
    });
    let error = client(address).call(&write("/x")).await.unwrap_err();
    assert_eq!((error.effect, error.attempts), (Effect::Unknown, 1), "{error}");
}
