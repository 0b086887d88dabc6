//! Carries the SDK's requests by the HTTP client that the other gateways use: TLS on ring, a connection for each
//! message, limits on the answer, and a plain word on whether a request left.

use aws_sdk_sns::config::http::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use countersign_sms_http::http::{HttpClient, HttpFailure};

pub(crate) fn client(http: HttpClient) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Carrier(http));
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Debug)]
struct Carrier(HttpClient);

impl HttpConnector for Carrier {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|_| error(HttpFailure::NotReached))?;
            // A form is in memory as a whole: a stream would be a request that is not ours.
            let body = request.body().bytes().map(Bytes::copy_from_slice);
            let body = body.ok_or_else(|| error(HttpFailure::NotReached))?;
            let answer = http.send(request.map(|_| body)).await.map_err(error)?;
            let mut response = http::Response::new(answer.body.map_or_else(SdkBody::empty, SdkBody::from));
            *response.status_mut() =
                http::StatusCode::from_u16(answer.status).map_err(|_| error(HttpFailure::NoAnswer))?;
            *response.headers_mut() = answer.headers;
            HttpResponse::try_from(response).map_err(|_| error(HttpFailure::NoAnswer))
        })
    }
}

fn error(failure: HttpFailure) -> ConnectorError {
    ConnectorError::io(Box::new(failure))
}
