//! Several directories on one port, told apart by the first segment of the path.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::{Front, listener::AsyncHandler};

/// The directory at the root, and those below a segment.
#[derive(Clone)]
pub struct Fronts {
    root: Arc<Front>,
    below: Arc<Vec<(String, Arc<Front>)>>,
}

impl Fronts {
    /// Segments come without slashes.
    pub fn new(root: Arc<Front>, below: Vec<(String, Arc<Front>)>) -> Self {
        Self {
            root,
            below: Arc::new(below),
        }
    }

    fn of(&self, path: &str) -> &Arc<Front> {
        let first = path.strip_prefix('/').and_then(|path| path.split('/').next());
        let found = self.below.iter().find(|(segment, _)| Some(segment.as_str()) == first);
        // What stands outside of every directory is whichever directory's that has it.
        let found = found.or_else(|| self.below.iter().find(|(_, front)| front.has_page(path)));
        found.map_or(&self.root, |(_, front)| front)
    }
}

impl AsyncHandler for Fronts {
    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let front = Arc::clone(self.of(request.uri().path()));
        front.handle(request).await
    }
}
