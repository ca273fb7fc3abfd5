//! MP4 with H.264.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use muxide::api::{Metadata, Muxer, MuxerBuilder, VideoCodec};
use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, MatrixCoefficients, QpRange,
    RateControlMode, VuiConfig,
};
use openh264::formats::{RgbSliceU8, YUVBuffer};
use openh264_sys2::ENCODER_OPTION_TRACE_LEVEL;

use super::{Shape, Sink};
use crate::error::{Error, Result};
use crate::figure::{Pixels, Provenance};

/// Bits a pixel of every frame, at most: filaments are fine, and captions are to be read.
const BITS_PER_PIXEL: f64 = 0.35;
/// Seconds between frames that a player can jump to.
const JUMPS: u32 = 2;

/// An MP4 that frames are added to.
pub(super) struct Film {
    path: PathBuf,
    encoder: Encoder,
    muxer: Muxer<BufWriter<File>>,
    size: [usize; 2],
    rate: f64,
    added: u64,
}

impl Film {
    /// In the file `file`, that `path` is called in errors.
    pub(super) fn new(path: &Path, file: &Path, shape: Shape, provenance: &Provenance) -> Result<Self> {
        let [width, height] = shape.size;
        let rate = f64::from(shape.rate);
        let bits = BITS_PER_PIXEL * f64::from(width) * f64::from(height) * rate;
        let config = EncoderConfig::new()
            .bitrate(BitRate::from_bps(bits.min(1e8) as u32))
            .max_frame_rate(FrameRate::from_hz(rate as f32))
            .rate_control_mode(RateControlMode::Bitrate)
            .qp(QpRange::new(12, 28))
            .skip_frames(false)
            .complexity(Complexity::High)
            .background_detection(false)
            .adaptive_quantization(false)
            // One thread: slices of several would depend on the machine.
            .num_threads(1)
            .intra_frame_period(IntraFramePeriod::from_num_frames(JUMPS * shape.rate))
            // The encoder's own conversion from sRGB has this matrix.
            .vui(VuiConfig::bt709().matrix_coefficients(MatrixCoefficients::Smpte170M));
        let failed = |error| Error::output(path, format!("the encoder does not start ({error})"));
        let mut encoder = Encoder::with_api_config(OpenH264API::from_source(), config).map_err(failed)?;
        // Frames that are never left out are worth a warning to it.
        let mut quiet: std::ffi::c_int = 0;
        // SAFETY: the option is one integer, which is read within the call.
        unsafe { encoder.raw_api().set_option(ENCODER_OPTION_TRACE_LEVEL, (&raw mut quiet).cast()) };
        let writer = BufWriter::new(File::create(file).map_err(|error| Error::output(path, error))?);
        let title = format!("{} {}", provenance.title, provenance.description);
        let muxer = MuxerBuilder::new(writer)
            .video(VideoCodec::H264, width, height, rate)
            .with_metadata(Metadata::new().with_title(title.trim()))
            .with_fast_start(true)
            .build()
            .map_err(|error| Error::output(path, error))?;
        Ok(Self { path: path.to_path_buf(), encoder, muxer, size: shape.size.map(|v| v as usize), rate, added: 0 })
    }
}

impl Sink for Film {
    fn add(&mut self, frame: &Pixels) -> Result<()> {
        let failed = |error: &dyn std::fmt::Display| Error::output(&self.path, error);
        let yuv = YUVBuffer::from_rgb8_source(RgbSliceU8::new(&frame.rgb, (self.size[0], self.size[1])));
        let time = self.added as f64 / self.rate;
        let stamp = openh264::Timestamp::from_millis((1000.0 * time) as u64);
        let encoded = self.encoder.encode_at(&yuv, stamp).map_err(|e| failed(&e))?;
        let key = matches!(encoded.frame_type(), FrameType::IDR | FrameType::I);
        self.muxer.write_video(time, &encoded.to_vec(), key).map_err(|e| failed(&e))?;
        self.added += 1;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let Self { path, mut muxer, .. } = *self;
        muxer.finish_in_place().map_err(|error| Error::output(&path, error))?;
        let writer = muxer.into_writer();
        writer.into_inner().map(drop).map_err(|error| Error::output(&path, error.into_error()))
    }
}
