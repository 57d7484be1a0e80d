//! Flags of Thanos that do nothing here: accepted and logged once when they have no meaning, refused
//! by name when they would change what the process does and that is not built yet.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

/// A flag of Thanos that does nothing here.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Flag {
    /// Without the dashes.
    pub(crate) name: &'static str,
    /// Whether a value follows; a switch has a `--no-` form instead.
    takes_value: bool,
    /// Why it has no effect; empty for a flag that is refused.
    pub(crate) reason: &'static str,
}

const fn value(name: &'static str, reason: &'static str) -> Flag {
    Flag { name, takes_value: true, reason }
}

const fn switch(name: &'static str, reason: &'static str) -> Flag {
    Flag { name, takes_value: false, reason }
}

/// A flag that asks for something that is not built yet; to ignore it would be a lie.
const fn not_built(name: &'static str) -> Flag {
    Flag { name, takes_value: true, reason: "" }
}

const MEMORY: &str = "memory is bounded by budgets, not by a garbage collector";
const ENDPOINTS: &str = "all endpoints are asked at once, and their answers are buffered";
const ONE_ENGINE: &str = "there is one engine";
const NO_TRACES: &str = "no traces are sent";
const TENANCY: &str = "there is one tenant";

/// Flags of every role that serves.
const SERVERS: &[Flag] = &[
    switch("enable-auto-gomemlimit", MEMORY),
    value("auto-gomemlimit.ratio", MEMORY),
    value("tracing.config", NO_TRACES),
    value("tracing.config-file", NO_TRACES),
    value("request.logging-config", "each request is logged at level debug"),
    value("request.logging-config-file", "each request is logged at level debug"),
    value("debug.name", "log lines carry no name"),
    not_built("http.config"),
    value("grpc-server-tls-ciphers", "only ciphers that are held to be safe are spoken"),
    value("grpc-server-tls-curves", "only curves that are held to be safe are spoken"),
];

const QUERY: &[Flag] = &[
    not_built("selector.relabel-config"),
    not_built("selector.relabel-config-file"),
    Flag { name: "query.enforce-tenancy", takes_value: false, reason: "" },
    value("store.sd-dns-resolver", "there is one resolver"),
    value("query.partition-label", ENDPOINTS),
    switch("query.distributed-with-overlapping-interval", ENDPOINTS),
    value("grpc.proxy-strategy", ENDPOINTS),
    value("query.lazy-retrieval-max-buffered-responses", ENDPOINTS),
    value("inject-test-addresses", "tests have a DNS server"),
    value("grpc-client-tls-min-version", "TLS 1.2 and 1.3 are offered"),
    value("selector-label", "series keep the labels that they have"),
    value("query.promql-engine", ONE_ENGINE),
    value("query.mode", ONE_ENGINE),
    switch("query.disable-fallback", ONE_ENGINE),
    value("query.max-concurrent-select", "all selectors of a query are resolved at once"),
    value("web.prefix-header", "all links of the page are relative"),
    value("query.telemetry.request-duration-seconds-quantiles", "durations are one histogram"),
    value("query.telemetry.request-samples-quantiles", "durations are one histogram"),
    value("query.telemetry.request-series-seconds-quantiles", "durations are one histogram"),
    value("query.tenant-header", TENANCY),
    value("query.default-tenant-id", TENANCY),
    value("query.tenant-certificate-field", TENANCY),
    value("query.tenant-label-name", TENANCY),
    value("alert.query-url", "no link is made from it"),
];

/// What Thanos' store does with its index headers, postings and chunk pools.
const STORE: &[Flag] = &[
    not_built("objstore-parquet.config"),
    not_built("objstore-parquet.config-file"),
    not_built("index-cache.config"),
    not_built("index-cache.config-file"),
    value("consistency-delay", "a block appears whole or not at all"),
    value("block-sync-concurrency", "a block is opened when it is first read"),
    value("block-discovery-strategy", "one listing finds all blocks"),
    switch("cache-index-header", NO_INDEX_HEADER),
    switch("store.enable-index-header-lazy-reader", NO_INDEX_HEADER),
    value("store.index-header-lazy-download-strategy", NO_INDEX_HEADER),
    value("store.index-header-lazy-reader-idle-timeout", NO_INDEX_HEADER),
    value("store.index-header-posting-offsets-in-mem-sampling", NO_INDEX_HEADER),
    switch("store.enable-lazy-expanded-postings", NO_POSTINGS),
    value("store.posting-group-max-key-series-ratio", NO_POSTINGS),
    value("matcher-cache-size", NO_POSTINGS),
    value("store.caching-bucket.config", "blocks are cached by --index-cache-size"),
    value("store.caching-bucket.config-file", "blocks are cached by --index-cache-size"),
    not_built("store.grpc.downloaded-bytes-limit"),
    value("store.grpc.series-sample-limit", "use --store.limits.request-samples"),
    value("store.grpc.touched-series-limit", "use --store.limits.request-series"),
    value("debug.series-batch-size", "series are read in slices of a fixed number of samples"),
    value("debug.estimated-max-series-size", NO_ESTIMATE),
    value("debug.estimated-max-chunk-size", NO_ESTIMATE),
    switch("debug.advertise-compatibility-label", "no querier needs it any more"),
    switch("web.disable", "there is no page"),
    switch("web.disable-cors", "there is no page"),
    value("web.external-prefix", "there is no page"),
    value("web.prefix-header", "there is no page"),
    value("bucket-web-label", "there is no page"),
    switch("disable-admin-operations", "there are none"),
];

const NO_INDEX_HEADER: &str = "blocks have label columns, not index headers";
const NO_POSTINGS: &str = "blocks have label columns, not postings";
const NO_ESTIMATE: &str = "the size of what is read is known beforehand";

const SIDECAR: &[Flag] = &[
    value("hash-func", "checksums of all that is written are always kept"),
    switch("shipper.skip-corrupted-blocks", "a damaged block never stops the others"),
];

/// What Thanos' compactor does with index headers, local copies of blocks, and halts.
const COMPACT: &[Flag] = &[
    switch("enable-auto-gomemlimit", MEMORY),
    value("auto-gomemlimit.ratio", MEMORY),
    value("tracing.config", NO_TRACES),
    value("tracing.config-file", NO_TRACES),
    not_built("http.config"),
    value("hash-func", "checksums of all that is written are always kept"),
    value("block-files-concurrency", NO_COPIES),
    value("compact.blocks-fetch-concurrency", NO_COPIES),
    value("block-discovery-strategy", "one listing finds all blocks"),
    value("block-viewer.global.sync-block-interval", "blocks are listed at each turn"),
    value("block-viewer.global.sync-block-timeout", "blocks are listed at each turn"),
    value("compact.progress-interval", "what is to be done is counted at each turn"),
    switch("compact.enable-vertical-compaction", "overlapping blocks are always merged"),
    value("compact.block-max-index-size", "blocks have label columns, not index files"),
    switch("compact.skip-block-with-out-of-order-chunks", "a damaged block is set aside by itself"),
    switch("debug.halt-on-error", "nothing halts"),
    switch("debug.accept-malformed-index", "blocks have label columns, not index files"),
    value("debug.max-compaction-level", "use --compact.range"),
    switch("web.disable", "there is no page"),
    switch("web.disable-cors", "there is no page"),
    value("web.external-prefix", "there is no page"),
    value("web.prefix-header", "there is no page"),
    value("bucket-web-label", "there is no page"),
    switch("disable-admin-operations", "there are none"),
];

const NO_COPIES: &str = "blocks are read where they lie";

/// What Thanos repairs, or asks for apart: every check is always made, and nothing is changed.
const VERIFY: &[Flag] = &[
    Flag { name: "repair", takes_value: false, reason: "" },
    not_built("issues"),
    not_built("objstore-backup.config"),
    not_built("objstore-backup.config-file"),
    value("delete-delay", "nothing is repaired"),
];

const CLEANUP: &[Flag] = &[
    not_built("selector.relabel-config"),
    not_built("selector.relabel-config-file"),
    value("consistency-delay", "what is unfinished is left alone for two days"),
    value("block-sync-concurrency", "blocks are listed at once"),
];

const LS: &[Flag] =
    &[not_built("selector.relabel-config"), not_built("selector.relabel-config-file")];

const UPLOAD_BLOCKS: &[Flag] =
    &[value("shipper.upload-concurrency", "the parts of a file are uploaded two at a time")];

/// The table: which subcommands have which flags.
const TABLE: &[(&[&str], &[Flag])] = &[
    (&["query", "sidecar", "store"], SERVERS),
    (&["compact"], COMPACT),
    (&["sidecar"], SIDECAR),
    (&["store"], STORE),
    (&["query"], QUERY),
    (&["tools bucket verify"], VERIFY),
    (&["tools bucket ls"], LS),
    (&["tools bucket cleanup", "tools bucket retention"], CLEANUP),
    (&["tools bucket upload-blocks"], UPLOAD_BLOCKS),
];

/// Adds the table's flags to the subcommands, hidden from the help.
pub(crate) fn declare(mut command: Command) -> Command {
    for (roles, flags) in TABLE {
        for role in *roles {
            command = declare_at(command, role, flags);
        }
    }
    command
}

/// Adds `flags` to the subcommand of `path`, names with spaces between.
fn declare_at(command: Command, path: &'static str, flags: &[Flag]) -> Command {
    let add = |inner: Command| inner.args(flags.iter().map(argument));
    match path.split_once(' ') {
        None => command.mut_subcommand(path, add),
        Some((first, rest)) => {
            command.mut_subcommand(first, |inner| declare_at(inner, rest, flags))
        }
    }
}

fn argument(flag: &Flag) -> Arg {
    let arg = Arg::new(flag.name).long(flag.name).hide(true);
    arg.action(if flag.takes_value { ArgAction::Append } else { ArgAction::SetTrue })
}

/// The table's flags that were given. One that is not built yet is an error.
pub(crate) fn given(
    command: &mut Command,
    matches: &ArgMatches,
) -> Result<Vec<&'static Flag>, clap::Error> {
    let (mut path, mut matches) = (String::new(), matches);
    while let Some((name, inner)) = matches.subcommand() {
        if !path.is_empty() {
            path.push(' ');
        }
        path.push_str(name);
        matches = inner;
    }
    let flags =
        TABLE.iter().filter(|(roles, _)| roles.contains(&path.as_str())).flat_map(|(_, f)| *f);
    let given: Vec<&'static Flag> = flags
        .filter(|flag| matches.value_source(flag.name) == Some(ValueSource::CommandLine))
        .collect();
    match given.iter().find(|flag| flag.reason.is_empty()) {
        Some(refused) => Err(command.error(
            clap::error::ErrorKind::UnknownArgument,
            format!("the flag '--{}' is not built yet", refused.name),
        )),
        None => Ok(given),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_of_the_table_is_accepted_or_refused_by_name() {
        for (roles, flags) in TABLE {
            for (role, flag) in roles.iter().flat_map(|r| flags.iter().map(move |f| (r, f))) {
                let long = format!("--{}", flag.name);
                let mut arguments = vec!["stoa"];
                arguments.extend(role.split(' '));
                arguments.push(&long);
                if flag.takes_value {
                    arguments.push("1");
                }
                let required = required(role);
                for name in &required {
                    arguments.extend([name, "http://x"]);
                }
                let outcome = crate::cli::parse(arguments.iter().map(Into::into));
                match outcome {
                    Ok(invocation) => assert_eq!(invocation.without_effect, [flag], "{long}"),
                    Err(error) => {
                        assert!(flag.reason.is_empty(), "{long}: {error}");
                        assert!(error.to_string().contains(&long), "{long}: {error}");
                    }
                }
            }
        }
    }

    /// The flags, dashes and all, that a role cannot do without.
    fn required(role: &str) -> Vec<String> {
        let mut command = crate::cli::command();
        command.build();
        let path = role.split(' ');
        let command = path.fold(&command, |at, name| at.find_subcommand(name).expect("a role"));
        let flags = command.get_arguments().filter(|arg| arg.is_required_set());
        flags.map(|arg| format!("--{}", arg.get_long().expect("a flag"))).collect()
    }

    #[test]
    fn switches_have_their_no_form() {
        let given = ["stoa", "query", "--no-query.disable-fallback"];
        let invocation = crate::cli::parse(given.map(Into::into)).expect("the flag is known");
        assert_eq!(invocation.without_effect.len(), 1);
    }
}
