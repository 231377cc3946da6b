//! ClickHouse's compressed blocks (`compress=1`, `decompress=1`) and LZ4 frames (`Content-Encoding: lz4`).
//!
//! A block: 16 bytes CityHash128 v1.0.2 of what follows (its two halves each little-endian, high half first),
//! 1 byte method, 4 bytes little-endian length of header and data (9 + n), 4 bytes length uncompressed, data.
//! Source: <https://clickhouse.com/docs/native-protocol/compression>.

use std::io::Write as _;

use bytes::{Buf as _, Bytes, BytesMut};
use cityhash_rs::cityhash_102_128;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

use crate::exception::{Code, Exception};

const CHECKSUM: usize = 16;
const HEADER: usize = 9;
const METHOD_LZ4: u8 = 0x82;
const METHOD_ZSTD: u8 = 0x90;
const METHOD_NONE: u8 = 0x02;

/// The largest block taken, compressed or not. ClickHouse itself allows 1 GiB; clients write blocks of at most a
/// few MiB (the `clickhouse` crate 256 KiB, ClickHouse 1 MiB), and a block is held in memory whole.
const MAX_BLOCK: usize = 64 << 20;

/// How much goes into one block of an answer: ClickHouse's own `max_compress_block_size`.
const ANSWER_BLOCK: usize = 1 << 20;

fn checksum(header_and_data: &[u8]) -> [u8; CHECKSUM] {
    cityhash_102_128(header_and_data).rotate_right(64).to_le_bytes()
}

/// Reads blocks from a stream that is cut anywhere, verifying each before it is decompressed.
#[derive(Debug, Default)]
pub struct BlockReader {
    pending: BytesMut,
}

impl BlockReader {
    /// Adds bytes as they arrive.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Decompresses the next whole block into `out` (replacing what it held); false if more bytes are needed.
    pub fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, Exception> {
        let Some(header) = self.pending.get(CHECKSUM..CHECKSUM + HEADER) else { return Ok(false) };
        let length = |at: usize| {
            let bytes = [header[at], header[at + 1], header[at + 2], header[at + 3]];
            u32::from_le_bytes(bytes) as usize
        };
        let (method, compressed, plain) = (header[0], length(1), length(5));
        // Lengths come before the checksum can be judged: bound them first, so that a damaged header cannot make
        // us wait for, or allocate, gigabytes.
        if !(HEADER..=MAX_BLOCK).contains(&compressed) || plain > MAX_BLOCK {
            return Err(Exception::new(
                Code::TooLargeSizeCompressed,
                format_args!(
                    "a compressed block of {compressed} bytes for {plain}: corrupted, or above {MAX_BLOCK}"
                ),
            ));
        }
        let Some(block) = self.pending.get(..CHECKSUM + compressed) else { return Ok(false) };
        if block[..CHECKSUM] != checksum(&block[CHECKSUM..]) {
            return Err(Exception::new(
                Code::ChecksumDoesntMatch,
                "Checksum doesn't match: corrupted data in a compressed block of the request",
            ));
        }
        let data = &block[CHECKSUM + HEADER..];
        out.clear();
        match method {
            METHOD_LZ4 => {
                out.resize(plain, 0);
                let written = lz4_flex::block::decompress_into(data, out).map_err(|error| {
                    Exception::new(Code::CannotDecompress, format_args!("Cannot decompress LZ4: {error}"))
                })?;
                if written != plain {
                    return Err(Exception::new(
                        Code::CannotDecompress,
                        format_args!("an LZ4 block holds {written} bytes instead of {plain}"),
                    ));
                }
            }
            METHOD_NONE if data.len() == plain => out.extend_from_slice(data),
            METHOD_ZSTD => {
                return Err(Exception::new(
                    Code::UnknownCompressionMethod,
                    "ZSTD blocks are not taken by the embedded engine: use LZ4",
                ));
            }
            other => {
                return Err(Exception::new(
                    Code::UnknownCompressionMethod,
                    format_args!("unknown compression method 0x{other:02x}"),
                ));
            }
        }
        self.pending.advance(CHECKSUM + compressed);
        Ok(true)
    }

    /// Says whether the stream may end here.
    pub fn finish(&self) -> Result<(), Exception> {
        if self.pending.is_empty() {
            return Ok(());
        }
        Err(Exception::new(
            Code::CannotReadAllData,
            format_args!(
                "Cannot read all data: the body ends inside a compressed block, {} bytes into it",
                self.pending.len()
            ),
        ))
    }
}

/// Decompresses a body that is held whole.
pub fn decompress(body: &[u8]) -> Result<Vec<u8>, Exception> {
    let mut reader = BlockReader::default();
    reader.push(body);
    let (mut all, mut block) = (Vec::new(), Vec::new());
    while reader.next(&mut block)? {
        all.extend_from_slice(&block);
        if all.len() > MAX_BLOCK {
            return Err(Exception::new(Code::QueryIsTooLarge, "the decompressed statement is too large"));
        }
    }
    reader.finish()?;
    Ok(all)
}

fn write_blocks(data: &[u8], out: &mut Vec<u8>) {
    for piece in data.chunks(ANSWER_BLOCK) {
        let start = out.len();
        let most = lz4_flex::block::get_maximum_output_size(piece.len());
        out.resize(start + CHECKSUM + HEADER + most, 0);
        let written = lz4_flex::block::compress_into(piece, &mut out[start + CHECKSUM + HEADER..])
            .expect("the buffer has the size that get_maximum_output_size promises to be enough");
        out.truncate(start + CHECKSUM + HEADER + written);
        let length = |n: usize| u32::try_from(n).expect("a block is about a mebibyte").to_le_bytes();
        out[start + CHECKSUM] = METHOD_LZ4;
        out[start + CHECKSUM + 1..start + CHECKSUM + 5].copy_from_slice(&length(HEADER + written));
        out[start + CHECKSUM + 5..start + CHECKSUM + 9].copy_from_slice(&length(piece.len()));
        let sum = checksum(&out[start + CHECKSUM..]);
        out[start..start + CHECKSUM].copy_from_slice(&sum);
    }
}

/// How an answer's body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Plain,
    /// ClickHouse's blocks: the client asked with `compress=1`.
    Blocks,
    /// One LZ4 frame: the client asked with `Accept-Encoding: lz4`.
    Lz4Frame,
}

/// Encodes an answer chunk by chunk; every chunk can be decoded when it arrives.
pub enum Encoder {
    /// See [`Encoding::Plain`].
    Plain,
    /// See [`Encoding::Blocks`].
    Blocks,
    /// See [`Encoding::Lz4Frame`].
    Lz4Frame(Box<FrameEncoder<Vec<u8>>>),
}

impl Encoder {
    /// An encoder for one answer.
    pub fn new(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Plain => Self::Plain,
            Encoding::Blocks => Self::Blocks,
            Encoding::Lz4Frame => {
                let info =
                    FrameInfo::new().block_size(BlockSize::Max256KB).block_mode(BlockMode::Independent);
                Self::Lz4Frame(Box::new(FrameEncoder::with_frame_info(info, Vec::new())))
            }
        }
    }

    /// The bytes to send for a chunk.
    pub fn chunk(&mut self, data: Bytes) -> Bytes {
        match self {
            Self::Plain => data,
            Self::Blocks => {
                let mut out = Vec::with_capacity(data.len() / 2 + 64);
                write_blocks(&data, &mut out);
                out.into()
            }
            Self::Lz4Frame(encoder) => {
                encoder
                    .write_all(&data)
                    .and_then(|()| encoder.flush())
                    .expect("writing to memory does not fail");
                std::mem::take(encoder.get_mut()).into()
            }
        }
    }

    /// The bytes that end the answer.
    pub fn end(&mut self) -> Bytes {
        match self {
            Self::Plain | Self::Blocks => Bytes::new(),
            Self::Lz4Frame(encoder) => {
                encoder.try_finish().expect("writing to memory does not fail");
                std::mem::take(encoder.get_mut()).into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blocks(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_blocks(data, &mut out);
        out
    }

    /// A column file written by ClickHouse 26.7 (`SELECT 'deskstream' FROM numbers(40)`, CODEC(LZ4)): the engine's
    /// own checksum and block, independent of what is written here.
    #[test]
    fn a_block_written_by_clickhouse_is_read() {
        const FILE: [u8; 46] = [
            0x59, 0x4c, 0x00, 0x1a, 0xa6, 0x12, 0xab, 0xf9, 0x6b, 0x53, 0x8e, 0xed, 0xd1, 0x0a, 0x44, 0xb4,
            0x82, 0x1e, 0x00, 0x00, 0x00, 0x90, 0x01, 0x00, 0x00, 0xaf, 0x64, 0x65, 0x73, 0x6b, 0x73, 0x74,
            0x72, 0x65, 0x61, 0x6d, 0x0a, 0x00, 0xff, 0x6f, 0x50, 0x74, 0x72, 0x65, 0x61, 0x6d,
        ];
        assert_eq!(decompress(&FILE).unwrap(), b"deskstream".repeat(40));
    }

    #[test]
    fn stored_blocks_are_read() {
        let mut body = vec![METHOD_NONE];
        body.extend_from_slice(&12_u32.to_le_bytes());
        body.extend_from_slice(&3_u32.to_le_bytes());
        body.extend_from_slice(b"abc");
        let mut block = checksum(&body).to_vec();
        block.extend_from_slice(&body);
        assert_eq!(decompress(&block).unwrap(), b"abc");
    }

    #[test]
    fn damage_is_told_apart() {
        let good = blocks(&b"0123456789".repeat(100));
        let code = |bytes: &[u8]| decompress(bytes).unwrap_err().code();
        let mut bad = good.clone();
        let last = bad.len() - 1;
        bad[last] ^= 1;
        assert_eq!(code(&bad), Code::ChecksumDoesntMatch as u32);
        bad = good.clone();
        bad[CHECKSUM + 4] = 0xff;
        assert_eq!(code(&bad), Code::TooLargeSizeCompressed as u32);
        assert_eq!(code(&good[..good.len() - 1]), Code::CannotReadAllData as u32);
        assert_eq!(code(&good[..7]), Code::CannotReadAllData as u32);
        // A lie about the length, under a checksum that is right.
        let mut body = vec![METHOD_LZ4];
        body.extend_from_slice(&11_u32.to_le_bytes());
        body.extend_from_slice(&500_u32.to_le_bytes());
        body.extend_from_slice(&[0x10, b'a']);
        let mut block = checksum(&body).to_vec();
        block.extend_from_slice(&body);
        assert_eq!(code(&block), Code::CannotDecompress as u32);
    }

    proptest! {
        #[test]
        fn blocks_come_back_however_they_are_cut(data in proptest::collection::vec(any::<u8>(), 0..5000), cut in 1_usize..300) {
            let mut reader = BlockReader::default();
            let (mut all, mut block) = (Vec::new(), Vec::new());
            for piece in blocks(&data).chunks(cut) {
                reader.push(piece);
                while reader.next(&mut block).unwrap() {
                    all.extend_from_slice(&block);
                }
            }
            reader.finish().unwrap();
            prop_assert_eq!(all, data);
        }

        #[test]
        fn no_bytes_make_it_panic(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decompress(&data);
        }

        #[test]
        fn a_frame_comes_back(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..2000), 0..5)) {
            let mut encoder = Encoder::new(Encoding::Lz4Frame);
            let mut sent = Vec::new();
            for piece in &pieces {
                sent.extend_from_slice(&encoder.chunk(Bytes::from(piece.clone())));
            }
            sent.extend_from_slice(&encoder.end());
            let mut back = Vec::new();
            std::io::Read::read_to_end(&mut lz4_flex::frame::FrameDecoder::new(&sent[..]), &mut back).unwrap();
            prop_assert_eq!(back, pieces.concat());
        }
    }
}
