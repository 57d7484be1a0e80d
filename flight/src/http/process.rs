//! What the kernel knows of the process: `process_*`, as Prometheus' own clients name it.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// The unit of times in `/proc`: Linux shows them in hundredths of a second on every platform.
const TICKS_PER_SECOND: f64 = 100.0;

/// Adds `process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_open_fds` and others
/// to `registry`; they are read from `/proc` whenever somebody asks.
pub fn register(registry: &mut Registry) {
    registry.register_collector(Box::new(Process));
}

#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(now) = Reading::take() else { return Ok(()) };
        let cpu = ConstCounter::new(now.cpu_seconds);
        cpu.encode(encoder.encode_descriptor(
            "process_cpu_seconds",
            "Total user and system CPU time spent in seconds",
            None,
            cpu.metric_type(),
        )?)?;
        for (name, help, value) in [
            ("process_resident_memory_bytes", "Resident memory size in bytes", now.resident_bytes),
            ("process_virtual_memory_bytes", "Virtual memory size in bytes", now.virtual_bytes),
            ("process_open_fds", "Number of open file descriptors", now.open_files),
            ("process_threads", "Number of threads", now.threads),
            (
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds",
                now.start_seconds,
            ),
        ] {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

struct Reading {
    cpu_seconds: f64,
    resident_bytes: f64,
    virtual_bytes: f64,
    open_files: f64,
    threads: f64,
    start_seconds: f64,
}

impl Reading {
    fn take() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The command's name stands in parentheses and may hold anything.
        let fields: Vec<&str> = stat[stat.rfind(')')? + 2..].split(' ').collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let resident_kib = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        let boot_seconds = fs::read_to_string("/proc/stat").ok().and_then(|text| {
            text.lines().find_map(|line| line.strip_prefix("btime "))?.parse::<f64>().ok()
        });
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) / TICKS_PER_SECOND,
            resident_bytes: resident_kib? * 1024.0,
            virtual_bytes: field(23)?,
            open_files: fs::read_dir("/proc/self/fd").ok()?.count() as f64,
            threads: field(20)?,
            start_seconds: boot_seconds? + field(22)? / TICKS_PER_SECOND,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_understood() {
        let now = Reading::take().expect("this is Linux");
        assert!(now.resident_bytes > 1e6 && now.virtual_bytes > now.resident_bytes);
        assert!(now.threads >= 1.0 && now.open_files >= 1.0);
        let age = chrono::Utc::now().timestamp() as f64 - now.start_seconds;
        assert!((-1.0..86_400.0).contains(&age), "{age}");
    }
}
