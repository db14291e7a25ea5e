//! Blobs over HTTP/2, without TLS and without an upgrade.

use bytes::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};

use super::*;

async fn connect(address: &str) -> SendRequest<Bytes> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    client
}

async fn ask(
    client: &mut SendRequest<Bytes>,
    (method, name): (&str, &str),
    length: Option<usize>,
) -> (ResponseFuture, SendStream<Bytes>) {
    let mut request = hyper::Request::builder()
        .method(method)
        .uri(format!("http://localhost/v1/blobs/{name}"))
        .header("authorization", format!("Bearer {BLUE}"));
    if method == "PUT" {
        request = request.header("content-type", "application/octet-stream");
    }
    if let Some(length) = length {
        request = request.header("content-length", length);
    }
    *client = client.clone().ready().await.unwrap();
    client.send_request(request.body(()).unwrap(), method != "PUT").unwrap()
}

/// Sends as the other side takes it.
async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes) {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap();
        stream.send_data(data.split_to(room.min(data.len())), false).unwrap();
    }
}

/// Status, `Content-Length` and body.
async fn told(response: ResponseFuture) -> (u16, Option<usize>, Vec<u8>) {
    let response = response.await.unwrap();
    let status = response.status().as_u16();
    let length = response.headers().get("content-length").map(|text| text.to_str().unwrap().parse().unwrap());
    let (mut body, mut all) = (response.into_body(), Vec::new());
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        all.extend_from_slice(&data);
    }
    (status, length, all)
}

#[test]
fn blobs_come_and_go_beside_each_other_on_one_connection() {
    let place = Place::new("");
    let engine = place.start();
    // Each is more than a stream's and the connection's window.
    let data = |byte: u8| (0..5_000_000_u32).map(|n| byte.wrapping_add((n % 251) as u8)).collect::<Bytes>();
    let (one, two) = (data(1), data(2));
    let (first, second) = (name(&one), name(&two));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = connect(&engine.address).await;
        let (of_one, mut to_one) = ask(&mut client, ("PUT", &first), Some(one.len())).await;
        // How long this one is shows at its end.
        let (of_two, mut to_two) = ask(&mut client, ("PUT", &second), None).await;
        for (a, b) in one.chunks(300_000).zip(two.chunks(300_000)) {
            send(&mut to_one, Bytes::copy_from_slice(a)).await;
            send(&mut to_two, Bytes::copy_from_slice(b)).await;
        }
        to_two.send_data(Bytes::new(), true).unwrap();
        assert_eq!(told(of_two).await.0, 201);
        to_one.send_data(Bytes::new(), true).unwrap();
        assert_eq!(told(of_one).await.0, 201);

        let (response, mut stream) = ask(&mut client, ("PUT", &first), Some(one.len())).await;
        send(&mut stream, one.clone()).await;
        stream.send_data(Bytes::new(), true).unwrap();
        assert_eq!(told(response).await.0, 200, "it was there");

        // Other bytes than those of its name.
        let (response, mut stream) = ask(&mut client, ("PUT", &name(b"other")), None).await;
        send(&mut stream, one.slice(..100_000)).await;
        stream.send_data(Bytes::new(), true).unwrap();
        let (status, _, body) = told(response).await;
        assert_eq!((status, &problem(&body)["code"]), (400, &json!("invalid_request")));

        // More than there may be is refused before it comes; the connection goes on.
        let (response, _stream) = ask(&mut client, ("PUT", &name(b"large")), Some(1 << 40)).await;
        let (status, _, body) = told(response).await;
        assert_eq!((status, &problem(&body)["code"]), (413, &json!("body_too_large")));

        let (status, length, body) = told(ask(&mut client, ("HEAD", &first), None).await.0).await;
        assert_eq!((status, length, body.len()), (200, Some(one.len()), 0));
        let (of_one, of_two) =
            (ask(&mut client, ("GET", &first), None).await.0, ask(&mut client, ("GET", &second), None).await.0);
        let (got_one, got_two) = tokio::join!(tokio::spawn(told(of_one)), tokio::spawn(told(of_two)));
        let ((_, _, got_one), (_, _, got_two)) = (got_one.unwrap(), got_two.unwrap());
        assert!(got_one == one && got_two == two, "the bytes are those that were sent");
        assert_eq!(told(ask(&mut client, ("DELETE", &second), None).await.0).await.0, 204);
        assert_eq!(told(ask(&mut client, ("GET", &second), None).await.0).await.0, 404);
    });
    assert_eq!(engine.metric("engined_blobs"), 1);
    // What was sent needlessly goes behind the answer.
    wait_for(|| unfinished(&place) == 0);
    engine.stop();
}

#[test]
fn of_an_upload_that_is_reset_or_cut_short_nothing_is_left() {
    let place = Place::new("");
    let engine = place.start();
    let data = Bytes::from(vec![7; 2_000_000]);
    let name = name(&data);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = connect(&engine.address).await;
        let (response, mut stream) = ask(&mut client, ("PUT", &name), Some(data.len())).await;
        send(&mut stream, data.slice(..1_000_000)).await;
        wait_for(|| unfinished(&place) == 1);
        stream.send_reset(h2::Reason::CANCEL);
        assert!(response.await.is_err());
        wait_for(|| unfinished(&place) == 0);

        // The connection goes on. One that ends before the length that it has named is no blob either.
        let (response, mut stream) = ask(&mut client, ("PUT", &name), Some(data.len())).await;
        send(&mut stream, data.slice(..1_000_000)).await;
        stream.send_data(Bytes::new(), true).unwrap();
        assert!(response.await.map_or(true, |response| response.status().is_client_error()));
        wait_for(|| unfinished(&place) == 0);

        // The whole connection goes.
        let mut client = connect(&engine.address).await;
        let (_response, mut stream) = ask(&mut client, ("PUT", &name), None).await;
        send(&mut stream, data.slice(..1_000_000)).await;
        wait_for(|| unfinished(&place) == 1);
    });
    drop(runtime);
    wait_for(|| unfinished(&place) == 0);
    assert_eq!((engine.metric("engined_blobs"), engine.metric("engined_blob_bytes")), (0, 0));
    assert_eq!(put(&engine, &data), 201, "its place and its part of the quota are free");
    engine.stop();
}

fn problem(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}
