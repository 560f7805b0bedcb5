//! What is written in text, or octet by octet.

pub fn caa() -> Vec<Vec<u8>> {
    let sets: &[&[&[u8]]] = &[
        &[b"\0\x05issueca.example"],
        &[
            b"\0\x05issue;",
            b"\0\x09issuewildca.example; validationmethods=dns-01,http-01",
        ],
        &[
            b"\0\x05issueca.example; accounturi=https://ca.example/acct/1",
            b"\0\x05iodefmailto:a@example.org",
        ],
        &[b"\x80\x03tbsunknown", b"\0\x05issueother.example"],
        &[b"\0\x09issuemailletters.example", b"\0\x05issue"],
        &[b"\0\x05ISSUECA.Example ;\taccounturi = x ; a=b"],
        &[b"\0\xfeissue", b"\0\x06is-sue"],
    ];
    let mut all: Vec<_> = sets.iter().map(|set| set.join(&0xff)).collect();
    all.push(b"ca.example; accounturi=https://ca.example/acct/1; validationmethods=dns-01".to_vec());
    all
}

/// Sets of records as descriptors have them, and addresses (RFC 9799).
pub fn onion() -> Vec<Vec<u8>> {
    let texts = [
        "caa 128 issue \"acmeforonions.example;validationmethods=onion-csr-01\"\ncaa 0 iodef \"mailto:a@example.com\"\n",
        "caa 0 issue ca.example\ncaa 0 issuewild \";\"",
        "caa 0 issue \"a\\\"\\\\\\065\"",
        "duckduckgogg42xjoc72x3sjasowoarfbgcmvfimaftt6twagswzczad.onion",
        "www.bbcweb3hytmzhn5d532owbu6oqadra5z3ar726vq5kgwwn6aucdccrad.onion",
        "expyuzz4wqqyqhjn.onion",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Sessions up to TLS, after an octet for the service.
pub fn mail_replies() -> Vec<Vec<u8>> {
    let word = "acme-mail-01=evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
    let texts = [
        format!(
            "\0220-mx.example ESMTP\r\n220 {word}\r\n250-mx.example hello\r\n250-SIZE 10240000\r\n250 STARTTLS\r\n220 go\r\n"
        ),
        "\x01421 4.7.0 too many\r\n".to_owned(),
        format!(
            "\x03* OK [CAPABILITY IMAP4rev1 STARTTLS ACME={word}] ready\r\n* CAPABILITY IMAP4rev1 STARTTLS\r\na OK\r\nb OK go\r\n"
        ),
        "\x03* OK {12}\r\nhello, world\r\n".to_owned(),
        format!("\x05+OK {word} ready\r\n+OK\r\nTOP\r\nSTLS\r\n..\r\n.\r\n+OK go\r\n"),
        "\x05-ERR [SYS/TEMP] later\r\n".to_owned(),
        format!("\x07220 {word}\r\n250-mx.example\r\n250-STARTTLS\r\n250 ACME-MAIL-01 x\r\n220 go\r\n250 more\r\n"),
        "\x08\"IMPLEMENTATION\" \"x\"\r\n\"STARTTLS\"\r\nOK \"ready\"\r\nOK\r\n".to_owned(),
    ];
    texts.map(String::into_bytes).into()
}

pub fn names() -> Vec<Vec<u8>> {
    let texts = [
        "www.example.org",
        "*.example.org",
        "xn--bcher-kva.example",
        "EXAMPLE.org",
        "localhost",
        "192.0.2.1",
        "2001:db8::1",
        "::ffff:192.0.2.1",
        "b\u{fc}cher.example",
        "[::1]",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub fn http_answers() -> Vec<Vec<u8>> {
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Length: 87\r\n\r\nLoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nTrailer: x\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: https://www.example.org:443/x?y#z\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 301 Moved Permanently\r\nLocation: //[2001:db8::1]/x\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n<html>not here</html>",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: ../other\r\n\r\n",
    ];
    let locations = "/x?y#z\nother\n?again\n#here\n//www.example.org/x\nhttps://www.example.org\nHTTPS://WWW.Example.ORG:443/a:b\n\
        http://[2001:db8::1]:80/x\nhttp://192.0.2.1/x\nhttp://example.org:/x:y@z\nhttp://0x7f.1/\nhttp://user@example.org/\n\
        https://example.org.well-known/acme-challenge/tok";
    let pieces = [&b"\xff"[..], b"\x05", b"\x01", b"\x40"];
    let mut all: Vec<_> = answers
        .iter()
        .zip(pieces.iter().cycle())
        .map(|(answer, piece)| [piece, answer.as_bytes()].concat())
        .collect();
    all.push(locations.as_bytes().to_vec());
    all
}

/// Messages of RFC 1035 §4, about `a.example`.
pub fn dns_answers() -> Vec<Vec<u8>> {
    const TXT: u16 = 16;
    // The name in the question, and two labels put before its second.
    let (asked, b, c) = (&b"\xc0\x0c"[..], &b"\x01b\xc0\x0e"[..], &b"\x01c\xc0\x0e"[..]);
    vec![
        message(
            0x8180,
            TXT,
            &[record(asked, TXT, b"\x05hello\x06 world"), record(asked, TXT, b"\0")],
        ),
        message(
            0x8180,
            TXT,
            &[record(asked, 5, b), record(b, 5, c), record(c, TXT, b"\x02hi")],
        ),
        message(
            0x8180,
            TXT,
            &[
                record(b"\xc0\x0e", 39, b"\x03new\x03org\0"),
                record(b"\x01a\x03new\x03org\0", TXT, b"\x01x"),
            ],
        ),
        message(
            0x8180,
            257,
            &[
                record(asked, 257, b"\0\x05issueca.example"),
                record(asked, 257, b"\x80\x03tbsx"),
            ],
        ),
        message(
            0x8180,
            1,
            &[record(asked, 1, &[192, 0, 2, 1]), record(asked, 1, &[192, 0, 2, 2])],
        ),
        message(
            0x8180,
            28,
            &[record(asked, 28, b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01")],
        ),
        message(0x8183, TXT, &[]),
        message(0x8182, TXT, &[]),
        message(0x8380, TXT, &[]),
        message(0x8180, TXT, &[record(asked, 5, asked)]),
    ]
}

fn message(flags: u16, asked: u16, answers: &[Vec<u8>]) -> Vec<u8> {
    let mut message = vec![0x12, 0x34];
    message.extend(flags.to_be_bytes());
    message.extend([0, 1, 0, answers.len() as u8, 0, 0, 0, 0]);
    message.extend(b"\x01a\x07example\0");
    message.extend(asked.to_be_bytes());
    message.extend([0, 1]);
    message.extend(answers.concat());
    message
}

fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut record = owner.to_vec();
    record.extend(kind.to_be_bytes());
    record.extend([0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
    record.extend(data);
    record
}

/// As the examples of RFC 8555 §7 are built.
pub fn objects() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"newNonce":"https://example.com/acme/new-nonce","newAccount":"https://example.com/acme/new-account","newOrder":"https://example.com/acme/new-order","newAuthz":"https://example.com/acme/new-authz","revokeCert":"https://example.com/acme/revoke-cert","keyChange":"https://example.com/acme/key-change","meta":{"termsOfService":"https://example.com/acme/terms/2017-5-30","website":"https://www.example.com/","caaIdentities":["example.com"],"externalAccountRequired":false,"profiles":{"classic":"x"}}}"#,
        r#"{"status":"valid","contact":["mailto:cert-admin@example.org"],"termsOfServiceAgreed":true,"orders":"https://example.com/acme/orders/rzGoeA"}"#,
        r#"{"status":"valid","expires":"2016-01-20T14:09:07.99Z","identifiers":[{"type":"dns","value":"www.example.org"}],"notBefore":"2016-01-01T00:00:00Z","notAfter":"2016-01-08T00:00:00Z","authorizations":["https://example.com/acme/authz/PAniVnsZcis"],"finalize":"https://example.com/acme/order/TOlocE8rfgo/finalize","certificate":"https://example.com/acme/cert/mAt3xBGaobw","profile":"classic"}"#,
        r#"{"status":"invalid","identifiers":[],"authorizations":[],"finalize":"","error":{"type":"urn:ietf:params:acme:error:compound","detail":"Errors","status":403,"subproblems":[{"type":"urn:ietf:params:acme:error:malformed","detail":"x","identifier":{"type":"dns","value":"_example.org"}}]}}"#,
        r#"{"status":"pending","expires":"2016-01-02T14:09:30+01:00","identifier":{"type":"dns","value":"www.example.org"},"challenges":[{"type":"http-01","url":"https://example.com/acme/chall/prV_B7yEyA4","status":"pending","token":"DGyRejmCefe7v4NfDGDKfA"},{"type":"dns-01","url":"u","status":"invalid","validated":"2014-12-01T12:05:13.72Z","error":{"type":"urn:ietf:params:acme:error:dns"}}],"wildcard":true}"#,
        r#"{"type":"urn:ietf:params:acme:error:badSignatureAlgorithm","detail":"x","algorithms":["ES256"],"instance":"https://example.com/tos","unknown":[1,{"a":null}]}"#,
        r#"{"identifiers":[{"type":"ip","value":"2001:db8::1"}],"notBefore":"x","replaces":"a.b","auto-renewal":{"end-date":"2026-01-01T00:00:00Z","lifetime":86400}}"#,
        r#"{"contact":[],"onlyReturnExisting":true,"externalAccountBinding":{"protected":"e30","payload":"e30","signature":"AA"}}"#,
        r#"{"csr":"MIIBPTCBxAIBADBFMQ"}"#,
        r#"{"certificate":"MIIEDTCCAvegAwIBAgIRAP8","reason":4}"#,
        r#"{"account":"https://example.com/acme/acct/evOfKhNU60wg","oldKey":{"kty":"EC"}}"#,
        r#"{"orders":["https://example.com/acme/order/TOlocE8rfgo"]}"#,
        r#"{"status":"deactivated","contact":["mailto:a@b"]}"#,
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
