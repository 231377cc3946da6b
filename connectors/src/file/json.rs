//! Finds the objects of a JSON document without holding it in memory: those of a top-level array, those of the
//! array under a top-level `"tickets"` (a Zendesk export), or one after another (JSON lines).

use std::io::{self, BufRead};

/// A larger object is no ticket.
const MAX_OBJECT_BYTES: usize = 16 * 1024 * 1024;

/// A piece of the document: an object, or something that should have been one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Where it begins, counted from 1.
    pub(super) line: u64,
    /// Its bytes; empty if it was too large to keep.
    pub(super) bytes: Vec<u8>,
    /// Whether it ends as it should: what breaks off does not.
    pub(super) whole: bool,
}

/// Splits a document.
pub(super) struct Splitter<R> {
    input: R,
    line: u64,
    read: u64,
    /// Within `{"tickets":[ … ]}`.
    wrapped: bool,
    begun: bool,
}

impl<R: BufRead> Splitter<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, line: 1, read: 0, wrapped: false, begun: false }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.read
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.input.fill_buf()?.first().copied())
    }

    fn bump(&mut self, byte: u8) {
        self.input.consume(1);
        self.read += 1;
        self.line += u64::from(byte == b'\n');
    }

    /// The next object.
    pub(super) fn next(&mut self) -> io::Result<Option<Piece>> {
        if !self.begun {
            self.begun = true;
            if let Some(piece) = self.enter()? {
                return Ok(Some(piece));
            }
        }
        while let Some(byte) = self.peek()? {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b',' => self.bump(byte),
                b'{' => return self.object().map(Some),
                // The end of the list of tickets; what follows in the wrapper is no ticket.
                b']' if self.wrapped => return Ok(None),
                b']' | b'[' => self.bump(byte),
                _ => return self.rest_of_line().map(Some),
            }
        }
        Ok(None)
    }

    /// Enters a wrapper, if the document is one. An object that is none is its first piece.
    fn enter(&mut self) -> io::Result<Option<Piece>> {
        const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
        if self.input.fill_buf()?.starts_with(&MARK) {
            self.input.consume(MARK.len());
            self.read += MARK.len() as u64;
        }
        while let Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) = self.peek()? {
            self.bump(byte);
        }
        // The first buffer tells: a wrapper's key comes before its tickets.
        let buffer = self.input.fill_buf()?;
        let Some(open) = wrapper(buffer) else { return Ok(None) };
        let skipped = &buffer[..open];
        self.line += skipped.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.read += open as u64;
        self.input.consume(open);
        self.wrapped = true;
        Ok(None)
    }

    fn object(&mut self) -> io::Result<Piece> {
        let line = self.line;
        let (mut bytes, mut size) = (Vec::new(), 0usize);
        let (mut depth, mut in_text, mut escaped) = (0u32, false, false);
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(Piece { line, bytes, whole: false });
            }
            let mut end = None;
            for (at, byte) in buffer.iter().enumerate() {
                if in_text {
                    match byte {
                        _ if escaped => escaped = false,
                        b'\\' => escaped = true,
                        b'"' => in_text = false,
                        _ => {}
                    }
                    continue;
                }
                match byte {
                    b'"' => in_text = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 {
                            end = Some(at + 1);
                            break;
                        }
                    }
                    _ => {}
                }
            }
            let taken = end.unwrap_or(buffer.len());
            size += taken;
            if size <= MAX_OBJECT_BYTES {
                bytes.extend_from_slice(&buffer[..taken]);
            } else {
                bytes = Vec::new();
            }
            self.line += buffer[..taken].iter().filter(|byte| **byte == b'\n').count() as u64;
            self.read += taken as u64;
            self.input.consume(taken);
            if end.is_some() {
                return Ok(Piece { line, bytes, whole: size <= MAX_OBJECT_BYTES });
            }
        }
    }

    /// Something that is no object: so that the next line has its chance, this one ends here.
    fn rest_of_line(&mut self) -> io::Result<Piece> {
        let line = self.line;
        let mut bytes = Vec::new();
        let read = self.input.read_until(b'\n', &mut bytes)?;
        self.read += read as u64;
        self.line += u64::from(bytes.last() == Some(&b'\n'));
        bytes.truncate(MAX_OBJECT_BYTES);
        Ok(Piece { line, bytes: bytes.trim_ascii_end().to_vec(), whole: false })
    }
}

/// Where, behind `"tickets":[`, the tickets of a wrapper begin.
fn wrapper(buffer: &[u8]) -> Option<usize> {
    const KEY: &[u8] = b"\"tickets\"";
    if buffer.first() != Some(&b'{') {
        return None;
    }
    // Only at the top: a ticket may well have such a key deeper down.
    let (mut depth, mut in_text, mut escaped) = (0u32, false, false);
    for (at, byte) in buffer.iter().enumerate() {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => {
                if depth == 1 && buffer[at..].starts_with(KEY) {
                    let rest = &buffer[at + KEY.len()..];
                    let colon =
                        rest.iter().position(|b| !b.is_ascii_whitespace()).filter(|p| rest[*p] == b':')?;
                    let list = &rest[colon + 1..];
                    let open =
                        list.iter().position(|b| !b.is_ascii_whitespace()).filter(|p| list[*p] == b'[')?;
                    return Some(at + KEY.len() + colon + 1 + open + 1);
                }
                in_text = true;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::BufReader;

    fn split(text: &str, buffer: usize) -> Vec<(u64, String, bool)> {
        let mut splitter = Splitter::new(BufReader::with_capacity(buffer, text.as_bytes()));
        let mut pieces = Vec::new();
        while let Some(piece) = splitter.next().unwrap() {
            pieces.push((piece.line, String::from_utf8(piece.bytes).unwrap(), piece.whole));
        }
        pieces
    }

    #[test]
    fn lists_wrappers_and_lines_give_the_same_objects() {
        let expected = |lines: [u64; 2]| {
            vec![(lines[0], r#"{"a":"}{\"[","b":[{}]}"#.to_owned(), true), (lines[1], "{}".to_owned(), true)]
        };
        let (first, second) = (r#"{"a":"}{\"[","b":[{}]}"#, "{}");
        assert_eq!(split(&format!("{first}\n{second}\n"), 4096), expected([1, 2]));
        assert_eq!(split(&format!("\u{feff}[{first},\n\n {second}]"), 4096), expected([1, 3]));
        let wrapped =
            format!("{{\"count\": 2,\n \"tickets\" : [\n{first}, {second}], \"next\": {{\"x\": 1}}}}");
        assert_eq!(split(&wrapped, 4096), expected([3, 3]));
    }

    #[test]
    fn a_ticket_with_such_a_key_inside_is_no_wrapper() {
        let text = r#"{"x":{"tickets":[{"no":1}]}}"#;
        assert_eq!(split(text, 4096), [(1, text.to_owned(), true)]);
        assert_eq!(split(r#"{"tickets":[]}"#, 4096), []);
    }

    #[test]
    fn what_is_broken_is_told_and_the_next_line_is_read() {
        assert_eq!(
            split("{\"a\":1}\nnonsense\n{\"b\":2}\n{\"c\":", 4096),
            [
                (1, "{\"a\":1}".to_owned(), true),
                (2, "nonsense".to_owned(), false),
                (3, "{\"b\":2}".to_owned(), true),
                (4, "{\"c\":".to_owned(), false),
            ]
        );
    }

    proptest! {
        /// However the input is cut into buffers, its objects are the same.
        #[test]
        fn buffers_do_not_matter(
            texts in proptest::collection::vec("[ -~\\n]{0,12}", 0..6), buffer in 1usize..40, list in any::<bool>(),
        ) {
            let objects: Vec<String> = texts.iter().map(|text| serde_json::json!({"t": text, "u": [text]}).to_string()).collect();
            let document = if list { format!("[{}]", objects.join(",")) } else { objects.join("\n") };
            let found: Vec<String> = split(&document, buffer).into_iter().map(|(_, object, _)| object).collect();
            prop_assert_eq!(found, objects);
        }

        #[test]
        fn no_bytes_make_it_panic_or_hang(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut splitter = Splitter::new(BufReader::with_capacity(16, bytes.as_slice()));
            for _ in 0..=bytes.len() {
                if splitter.next().unwrap().is_none() {
                    return Ok(());
                }
            }
            prop_assert!(false, "more pieces than bytes");
        }
    }
}
