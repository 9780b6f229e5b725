//! Unpacks what was packed with gzip, zstd, xz or bzip2, recognised by its first bytes and never by its name.
//!
//! Recorded histories are long and repetitive and usually kept packed.

use super::error::ImportError;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Longest text that is taken into memory, bytes: a packed file may claim any length.
pub const TEXT_BYTES_MAX: u64 = 1 << 30;

/// The text of a file, unpacked.
///
/// # Errors
/// When it cannot be read or unpacked, is too long, or is no UTF-8.
pub fn read(file: &Path) -> Result<String, ImportError> {
    let source = std::fs::File::open(file).map_err(|error| ImportError::file(file, format!("cannot be opened: {error}")))?;
    unpack(file, BufReader::new(source), TEXT_BYTES_MAX)
}

/// The same from bytes that are in memory; `file` is only named in errors.
///
/// # Errors
/// See [`read`].
pub fn unpack(file: &Path, mut source: impl BufRead, bytes_max: u64) -> Result<String, ImportError> {
    let cannot = |error: &std::io::Error| ImportError::file(file, format!("cannot be read: {error}"));
    let start = source.fill_buf().map_err(|error| cannot(&error))?;
    let (name, unpacked): (&str, Box<dyn Read + '_>) = match start {
        [0x1f, 0x8b, ..] => ("gzip", Box::new(flate2::bufread::MultiGzDecoder::new(source))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("zstd", Box::new(zstd::Decoder::with_buffer(source).map_err(|error| cannot(&error))?)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => ("xz", Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(source))),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => ("bzip2", Box::new(bzip2::bufread::MultiBzDecoder::new(source))),
        _ => ("", Box::new(source)),
    };
    let mut bytes = Vec::new();
    let failed = |error: std::io::Error| match name {
        "" => cannot(&error),
        _ => ImportError::file(file, format!("is packed with {name} and cannot be unpacked: {error}")),
    };
    unpacked.take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > bytes_max {
        return Err(ImportError::file(file, format!("holds more than {bytes_max} bytes of text: import it in parts")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
        ImportError::at(file, &text, super::edn::Expected::at(valid, "UTF-8 text, found a byte that is none"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const TEXT: &str = "{:type :invoke, :process 0, :f :read}\n";

    fn packed() -> [Vec<u8>; 5] {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(TEXT.as_bytes()).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
        xz.write_all(TEXT.as_bytes()).unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        bzip2.write_all(TEXT.as_bytes()).unwrap();
        let zstd = zstd::encode_all(TEXT.as_bytes(), 3).unwrap();
        [TEXT.as_bytes().to_vec(), gzip.finish().unwrap(), zstd, xz.finish().unwrap(), bzip2.finish().unwrap()]
    }

    #[test]
    fn every_packing_is_recognised_by_its_content() {
        for bytes in packed() {
            assert_eq!(unpack(Path::new("x"), &*bytes, 1000).unwrap(), TEXT);
        }
    }

    #[test]
    fn cut_and_oversized_files_are_refused() {
        for bytes in packed() {
            assert!(unpack(Path::new("x"), &*bytes, 10).unwrap_err().to_string().contains("more than 10 bytes"));
            if bytes[0] != b'{' {
                assert!(unpack(Path::new("x"), &bytes[..bytes.len() - 9], 1000).is_err());
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_at_their_place() {
        let error = unpack(Path::new("x"), &b"ab\nc\xff"[..], 1000).unwrap_err();
        assert_eq!(error.to_string(), "x:2:2: UTF-8 text, found a byte that is none");
    }
}
