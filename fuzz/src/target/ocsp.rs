use jiff::Timestamp;
use pkix::ocsp::{
    LONGEST_NONCE, LONGEST_REQUEST, MOST_CERTIFICATES, OcspRequest, OcspResponse, ResponseData, SingleResponse, Status,
};

/// Questions about certificates: whatever is read can be answered. And answers, as a client reads them.
pub fn ocsp(data: &[u8]) {
    if let Ok(request) = OcspRequest::parse(data) {
        assert!(data.len() <= LONGEST_REQUEST);
        assert!((1..=MOST_CERTIFICATES).contains(&request.certificates.len()));
        assert!(
            request
                .nonce
                .as_ref()
                .is_none_or(|nonce| (1..=LONGEST_NONCE).contains(&nonce.len()))
        );
        let answer = |(index, certificate)| SingleResponse {
            certificate,
            status: match index % 3 {
                0 => Status::Good,
                1 => Status::Unknown,
                _ => Status::Revoked {
                    at: Timestamp::UNIX_EPOCH,
                    reason: None,
                },
            },
            this_update: Timestamp::UNIX_EPOCH,
            next_update: Timestamp::UNIX_EPOCH,
        };
        is_written_as_read(&ResponseData {
            responder: [7; 20],
            produced_at: Timestamp::UNIX_EPOCH,
            responses: request.certificates.into_iter().enumerate().map(answer).collect(),
            nonce: request.nonce,
        });
    }
    if let Ok(response) = OcspResponse::parse(data) {
        is_written_as_read(response.data());
    }
    if let Ok(contents) = ResponseData::from_der(data) {
        is_written_as_read(&contents);
    }
}

fn is_written_as_read(contents: &ResponseData) {
    let again = ResponseData::from_der(&contents.to_der()).expect("what was written is read");
    assert_eq!(&again, contents);
}
