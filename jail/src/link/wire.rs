//! The fields of the link's messages, one after the other in little-endian order.

use super::{DecodeError, MESSAGE_BYTES, PROFILE_BYTES, ProfileName, VERSION};
use crate::inventory::{Held, Inventory, StockCount};
use crate::spec::{
    Attempts, Bytes, Collected, Ended, Layers, Limits, Micros, Millis, Outcome, PeakSource, RunId, StopReason, Usage,
    WatchedCall,
};

/// Lays fields down one after the other. The fixed size holds the largest message (a test checks each).
pub(super) struct Writer {
    bytes: [u8; MESSAGE_BYTES],
    at: usize,
}

impl Writer {
    pub(super) fn new(tag: u32) -> Self {
        let mut w = Writer { bytes: [0; MESSAGE_BYTES], at: 0 };
        w.u32(VERSION);
        w.u32(tag);
        w
    }

    pub(super) fn put(&mut self, field: &[u8]) {
        self.bytes[self.at..self.at + field.len()].copy_from_slice(field);
        self.at += field.len();
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }

    pub(super) fn name(&mut self, name: &ProfileName) {
        let mut field = [0; PROFILE_BYTES];
        field[..name.0.len()].copy_from_slice(name.0.as_bytes());
        self.put(&field);
    }

    pub(super) fn limits(&mut self, l: &Limits) {
        self.u64(l.cpu_time.0);
        self.u64(l.wall_time.0);
        self.u64(l.memory.0);
        self.u32(l.processes);
        self.u32(l.cpus_milli);
        self.u64(l.file.0);
        self.u64(l.disk.0);
        self.u32(l.open_files);
        self.u64(l.stack.0);
    }

    pub(super) fn ended(&mut self, e: &Ended) {
        self.u64(e.id.0);
        match e.outcome {
            Outcome::Exited(code) => {
                self.u8(0);
                self.u8(code);
                self.u32(0);
                self.u32(0);
            }
            Outcome::Signalled(signal) => {
                self.u8(1);
                self.u8(signal);
                self.u32(0);
                self.u32(0);
            }
            Outcome::Failed { step, errno, index } => {
                self.u8(2);
                self.u8(step);
                self.u32(errno.cast_unsigned());
                self.u32(index);
            }
        }
        self.u8(e.stop.map_or(0, |reason| reason as u8));
        self.u8(u8::from(e.filter_killed)
            | u8::from(e.usage.processes_hit) << 1
            | u8::from(e.usage.disk_hit) << 2
            | u8::from(e.usage.memory_peak_source == PeakSource::Sampled) << 3);
        let u = &e.usage;
        for value in [u.cpu.0, u.user.0, u.system.0, u.wall.0, u.memory_peak.0, u.throttled.0, u.involuntary_switches] {
            self.u64(value);
        }
        self.u32(u.processes_peak);
        self.u32(u.oom_kills);
        self.u64(e.setup.0);
        self.u8(match e.collected {
            Collected::None => 0,
            Collected::Complete => 1,
            Collected::Cut => 2,
        });
        self.u32(e.layers.to_wire());
        self.u8(WatchedCall::to_wire(e.attempts.fatal));
        for count in e.attempts.counts() {
            self.u32(*count);
        }
    }

    /// For each number whether it is there, then the number; then the stock.
    pub(super) fn inventory(&mut self, inventory: &Inventory) {
        for what in Held::ALL {
            self.u8(inventory.of(what).is_some().into());
            self.u64(inventory.of(what).unwrap_or(0));
        }
        let StockCount { armed, taken, made_on_the_spot, refills, refill_us, held_back } = inventory.stock;
        for number in [armed, taken, made_on_the_spot, refills, refill_us, held_back] {
            self.u64(number);
        }
    }

    pub(super) fn finish(self) -> [u8; MESSAGE_BYTES] {
        self.bytes
    }
}

/// Takes fields off one after the other.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a [u8]) -> Result<(u32, Self), DecodeError> {
        if message.len() != MESSAGE_BYTES {
            return Err(DecodeError::Length(message.len()));
        }
        let mut r = Reader { rest: message };
        let version = r.u32()?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        Ok((r.u32()?, r))
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (field, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Length(self.rest.len()))?;
        self.rest = rest;
        Ok(*field)
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.take::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    pub(super) fn layers(&mut self, field: &'static str) -> Result<Layers, DecodeError> {
        Layers::from_wire(self.u32()?).ok_or(DecodeError::Field(field))
    }

    pub(super) fn name(&mut self) -> Result<ProfileName, DecodeError> {
        let field = self.take::<PROFILE_BYTES>()?;
        let length = field.iter().position(|b| *b == 0).unwrap_or(PROFILE_BYTES);
        let (name, padding) = field.split_at(length);
        if padding.iter().any(|b| *b != 0) {
            return Err(DecodeError::Field("profile"));
        }
        std::str::from_utf8(name).ok().and_then(ProfileName::new).ok_or(DecodeError::Field("profile"))
    }

    pub(super) fn limits(&mut self) -> Result<Limits, DecodeError> {
        Ok(Limits {
            cpu_time: Millis(self.u64()?),
            wall_time: Millis(self.u64()?),
            memory: Bytes(self.u64()?),
            processes: self.u32()?,
            cpus_milli: self.u32()?,
            file: Bytes(self.u64()?),
            disk: Bytes(self.u64()?),
            open_files: self.u32()?,
            stack: Bytes(self.u64()?),
        })
    }

    pub(super) fn ended(&mut self) -> Result<Ended, DecodeError> {
        let id = RunId(self.u64()?);
        let outcome = match (self.u8()?, self.u8()?, self.u32()?, self.u32()?) {
            (0, code, 0, 0) => Outcome::Exited(code),
            (1, signal, 0, 0) => Outcome::Signalled(signal),
            (2, step, errno, index) => Outcome::Failed { step, errno: errno.cast_signed(), index },
            _ => return Err(DecodeError::Field("outcome")),
        };
        let stop = match self.u8()? {
            0 => None,
            byte => Some(StopReason::from_wire(byte).ok_or(DecodeError::Field("stop"))?),
        };
        let flags = self.u8()?;
        if flags > 15 {
            return Err(DecodeError::Field("flags"));
        }
        let [cpu, user, system, wall, memory_peak, throttled, involuntary_switches] =
            [self.u64()?, self.u64()?, self.u64()?, self.u64()?, self.u64()?, self.u64()?, self.u64()?];
        let processes_peak = self.u32()?;
        let oom_kills = self.u32()?;
        let setup = Micros(self.u64()?);
        let collected = match self.u8()? {
            0 => Collected::None,
            1 => Collected::Complete,
            2 => Collected::Cut,
            _ => return Err(DecodeError::Field("collected")),
        };
        let layers = self.layers("layers")?;
        let fatal = WatchedCall::from_wire(self.u8()?).ok_or(DecodeError::Field("attempts"))?;
        let mut counts = [0; WatchedCall::COUNT];
        for count in &mut counts {
            *count = self.u32()?;
        }
        let attempts = Attempts::from_parts(counts, fatal);
        Ok(Ended {
            id,
            outcome,
            stop,
            filter_killed: flags & 1 != 0,
            attempts,
            usage: Usage {
                cpu: Micros(cpu),
                user: Micros(user),
                system: Micros(system),
                wall: Micros(wall),
                memory_peak: Bytes(memory_peak),
                memory_peak_source: if flags & 8 != 0 { PeakSource::Sampled } else { PeakSource::Kernel },
                processes_peak,
                throttled: Micros(throttled),
                involuntary_switches,
                oom_kills,
                processes_hit: flags & 2 != 0,
                disk_hit: flags & 4 != 0,
            },
            setup,
            collected,
            layers,
        })
    }

    pub(super) fn inventory(&mut self) -> Result<Inventory, DecodeError> {
        let mut inventory = Inventory::default();
        for what in Held::ALL {
            let number = match (self.u8()?, self.u64()?) {
                (0, 0) => None,
                (1, number) => Some(number),
                _ => return Err(DecodeError::Field("inventory")),
            };
            inventory = inventory.with(what, number);
        }
        inventory.stock = StockCount {
            armed: self.u64()?,
            taken: self.u64()?,
            made_on_the_spot: self.u64()?,
            refills: self.u64()?,
            refill_us: self.u64()?,
            held_back: self.u64()?,
        };
        Ok(inventory)
    }

    pub(super) fn end(&self) -> Result<(), DecodeError> {
        if self.rest.iter().all(|b| *b == 0) { Ok(()) } else { Err(DecodeError::Trailing) }
    }
}
