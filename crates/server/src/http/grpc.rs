//! gRPC's `LogsService/Export`: one message in a frame of five bytes, one answer, and a status behind it.
//!
//! The frame is taken apart here and not by tonic, so that a body has the same bounds, and takes its room from the same
//! store, as every other one: see docs/decisions/0081.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use hyper::body::Frame;

use super::body::{self, BodyFault, Content};
use super::dialect::{Dialect, rpc_code};
use super::router::Route;
use super::{Needs, Problem, otlp};
use crate::access::Subject;
use crate::app::App;
use crate::ingest::body::Encoding;

pub const PATH: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const FRAME_HEAD: usize = 5;
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc+proto");

pub fn routes() -> Vec<Route> {
    vec![Route::foreign(Method::POST, PATH, Needs::Of(api::access::Privilege::EventsWrite), export)]
}

async fn export(State(app): State<App>, subject: Subject, headers: HeaderMap, body: Body) -> Response {
    let taken = async {
        let content = message(&app, &headers, body).await?;
        let source = headers.get(otlp::SOURCE_HEADER).and_then(|value| value.to_str().ok());
        otlp::take(&app, &subject, source, content).await
    };
    match taken.await {
        Ok(partial) => answered(&partial.protobuf()),
        Err(problem) => Dialect::Grpc.say(problem, None),
    }
}

/// The message of a call that has one.
async fn message(app: &App, headers: &HeaderMap, body: Body) -> Result<Content, Problem> {
    let name = headers.get("grpc-encoding").map_or("", |value| value.to_str().unwrap_or("?"));
    let encoding = Encoding::named(name).ok_or(BodyFault::Encoding)?;
    let mut content = body::read_packed(app, headers, body, body::WIRE_BYTES_MAX).await?;
    let head = content.bytes.first_chunk::<FRAME_HEAD>().copied();
    let [packed, length @ ..] = head.ok_or_else(|| Problem::bad_request("the call has no message"))?;
    let length = u32::from_be_bytes(length) as usize;
    if content.bytes.len() - FRAME_HEAD != length {
        let got = content.bytes.len() - FRAME_HEAD;
        return Err(Problem::bad_request(format!("the message should have {length} bytes and has {got}")));
    }
    content.bytes.drain(..FRAME_HEAD);
    let encoding = if packed == 0 { Encoding::Identity } else { encoding };
    if packed != 0 && encoding == Encoding::Identity {
        return Err(Problem::bad_request("the message is packed, and grpc-encoding does not say how"));
    }
    Ok(body::unpacked(app, encoding, content).await?)
}

fn answered(message: &[u8]) -> Response {
    let mut frame = Vec::with_capacity(FRAME_HEAD + message.len());
    frame.push(0);
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(0).to_be_bytes());
    frame.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Body::new(Answer { message: Some(frame.into()), trailers: Some(trailers) });
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
    response
}

/// An answer without a message: its status stands in the head.
pub fn problem(status: StatusCode, text: &str) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    headers.insert("grpc-status", HeaderValue::from(u16::from(rpc_code(status))));
    if let Ok(text) = HeaderValue::from_str(&percent_encoded(text)) {
        headers.insert("grpc-message", text);
    }
    response
}

/// gRPC wants everything but printable ASCII as `%XX`.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().take(1_000).fold(String::new(), |mut out, byte| {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// The message, then the trailers.
struct Answer {
    message: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let message = self.message.take().map(Frame::data);
        Poll::Ready(message.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.trailers.is_none()
    }
}
