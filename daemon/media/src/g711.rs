//! G.711: A-law and mu-law, sample by sample (ITU-T G.711).

/// A linear sample as A-law.
pub fn encode_a(sample: i16) -> u8 {
    // Thirteen bits; negative values mirror the positive ones.
    let (sign, mut size) = if sample >= 0 { (0x80u8, (sample >> 3) as i32) } else { (0, (!(sample as i32)) >> 3) };
    size = size.min(4095);
    let code = if size < 32 {
        size >> 1
    } else {
        let segment = 32 - (size as u32).leading_zeros() as i32 - 5;
        (segment << 4) | ((size >> segment) & 0x0f)
    };
    (code as u8 | sign) ^ 0x55
}

/// An A-law byte as a linear sample.
pub fn decode_a(byte: u8) -> i16 {
    let code = byte ^ 0x55;
    let (segment, step) = ((code >> 4) & 7, (code & 0x0f) as i32);
    let size = match segment {
        0 => (step << 4) + 8,
        s => ((step << 4) + 0x108) << (s - 1),
    };
    (if code & 0x80 != 0 { size } else { -size }) as i16
}

/// A linear sample as mu-law.
pub fn encode_u(sample: i16) -> u8 {
    const BIAS: i32 = 0x84;
    let (sign, size) = if sample < 0 { (0x80u8, -(sample as i32)) } else { (0, sample as i32) };
    let size = size.min(32_635) + BIAS;
    let segment = 31 - (size as u32).leading_zeros() as i32 - 7;
    !(sign | (segment << 4) as u8 | ((size >> (segment + 3)) & 0x0f) as u8)
}

/// A mu-law byte as a linear sample.
pub fn decode_u(byte: u8) -> i16 {
    let code = !byte;
    let size = ((((code & 0x0f) as i32) << 3) + 0x84) << ((code >> 4) & 7);
    (if code & 0x80 != 0 { 0x84 - size } else { size - 0x84 }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_a_round_trip() {
        for byte in 0..=255u8 {
            assert_eq!(encode_a(decode_a(byte)), byte, "A-law {byte:#x}");
            let again = encode_u(decode_u(byte));
            assert!(again == byte || (decode_u(byte) == 0 && decode_u(again) == 0), "mu-law {byte:#x}");
        }
    }

    #[test]
    fn known_values_are_those_of_the_recommendation() {
        // Silence, and the loudest values.
        assert_eq!((encode_a(0), encode_u(0)), (0xd5, 0xff));
        assert_eq!((decode_a(0xd5), decode_u(0xff)), (8, 0));
        assert_eq!((decode_a(0xaa), decode_a(0x2a)), (32_256, -32_256));
        assert_eq!((decode_u(0x80), decode_u(0x00)), (32_124, -32_124));
    }

    #[test]
    fn the_error_stays_small_beside_the_sample() {
        for sample in (i16::MIN..=i16::MAX).step_by(7) {
            for back in [decode_a(encode_a(sample)), decode_u(encode_u(sample))] {
                let error = (back as i32 - sample as i32).abs();
                assert!(error <= 20 + (sample as i32).abs() / 16, "{sample} {back}");
            }
        }
    }
}
