//! hyper at both ends of a simulated tunnel.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use crate::world::{FOUL, each_seed, pass};

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut path = request.uri().path().as_bytes().to_vec();
    let body = request.into_body().collect().await.expect("a whole body").to_bytes();
    path.extend_from_slice(&body);
    Ok(Response::new(Full::new(path.into())))
}

#[test]
fn hyper_speaks_through_the_tunnel_in_foul_weather() {
    each_seed(|world| async move {
        world.set_weather(FOUL);
        let (mut server, clients) = world.populate(1);
        let serving = tokio::task::spawn_local(async move {
            while let Some(stream) = server.accepted.recv().await {
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service_fn(answer));
                tokio::task::spawn_local(connection);
            }
        });
        let stream = TokioIo::new(clients[0].dial(80));
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.expect("a connection");
        tokio::task::spawn_local(connection);
        for number in 0..20 {
            let body = world.bytes(world.below(3000) as usize);
            let request = Request::post(format!("/{number}"))
                .header("host", "10.0.0.1")
                .body(Full::new(Bytes::from(body.clone())))
                .expect("a request");
            let response = sender.send_request(request).await.expect("an answer");
            let echoed = response.into_body().collect().await.expect("a whole body").to_bytes();
            assert_eq!(echoed, [format!("/{number}").as_bytes(), &body].concat());
            pass(Duration::from_millis(world.below(2000))).await;
        }
        serving.abort();
    });
}
