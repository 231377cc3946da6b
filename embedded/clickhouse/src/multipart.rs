//! `multipart/form-data` (RFC 7578), as the `clickhouse` crate and curl send statements with parameters: small
//! bodies, held whole, text fields only.

use memchr::memmem;

use crate::exception::{Code, Exception};

/// The boundary of a `Content-Type`, or `None` if the body is not a form.
pub fn boundary(content_type: &str) -> Option<&str> {
    let mut parts = content_type.split(';');
    if !parts.next()?.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parts.find_map(|part| {
        let (name, value) = part.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"'))
    })
}

/// The fields of a form, in order.
pub fn fields(body: &[u8], boundary: &str) -> Result<Vec<(String, String)>, Exception> {
    let malformed =
        |what: &str| Exception::new(Code::BadArguments, format_args!("malformed form body: {what}"));
    let delimiter = format!("--{boundary}");
    let mut rest = body
        .strip_prefix(delimiter.as_bytes())
        .ok_or_else(|| malformed("it does not start with its boundary"))?;
    let inner = format!("\r\n{delimiter}");
    let mut fields = Vec::new();
    while !rest.starts_with(b"--") {
        rest = rest.strip_prefix(b"\r\n").ok_or_else(|| malformed("a boundary does not end its line"))?;
        let end =
            memmem::find(rest, inner.as_bytes()).ok_or_else(|| malformed("the last boundary is missing"))?;
        let part = &rest[..end];
        rest = &rest[end + inner.len()..];
        let head_end =
            memmem::find(part, b"\r\n\r\n").ok_or_else(|| malformed("a part has no header end"))?;
        let head =
            std::str::from_utf8(&part[..head_end]).map_err(|_| malformed("a part's header is not text"))?;
        let name = field_name(head).ok_or_else(|| malformed("a part has no name"))?;
        let value = std::str::from_utf8(&part[head_end + 4..])
            .map_err(|_| malformed("a field is not UTF-8 text (external data is not supported)"))?;
        fields.push((name.to_owned(), value.to_owned()));
    }
    Ok(fields)
}

fn field_name(head: &str) -> Option<&str> {
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    disposition
        .split(';')
        .find_map(|part| part.trim().strip_prefix("name="))
        .map(|name| name.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_form_of_the_clickhouse_crate_is_read() {
        let body = "--b1\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT {a:String}\r\n\
                    --b1\r\nContent-Disposition: form-data; name=\"param_a\"\r\n\r\nit's\r\nhere\r\n--b1--\r\n";
        let boundary = boundary("multipart/form-data; boundary=b1").unwrap();
        assert_eq!(
            fields(body.as_bytes(), boundary).unwrap(),
            [
                ("query".to_owned(), "SELECT {a:String}".to_owned()),
                ("param_a".to_owned(), "it's\r\nhere".to_owned()),
            ]
        );
        assert_eq!(super::boundary("text/plain; boundary=x"), None);
        assert_eq!(super::boundary("Multipart/Form-Data; charset=x; Boundary=\"q\""), Some("q"));
    }

    #[test]
    fn a_broken_form_is_refused() {
        for body in ["", "--b", "--bX", "--b\r\n", "--b\r\nno header\r\n--b--", "--b\r\n\r\n\r\nx\r\n--b--"] {
            assert!(fields(body.as_bytes(), "b").is_err(), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = fields(&body, "b");
        }
    }
}
