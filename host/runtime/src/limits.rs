//! Every limit of the sandbox and of the egress guard: named, with its unit and its reason.
//!
//! Invariant: no number that bounds a guest or an answer stands anywhere else in this crate. [`Limits`] are those that
//! a caller may set per call; the rest holds for everybody.

use std::time::Duration;

use crate::manifest::Manifest;

/// Bytes in a mebibyte.
pub const MIB: u64 = 1024 * 1024;

// --- the guest's time ------------------------------------------------------------------------------------------------

/// Milliseconds between two epoch ticks. Fine enough that a looping guest is stopped soon after its budget, coarse
/// enough that the ticking thread costs nothing.
pub const TICK_MS: u64 = 10;

/// Milliseconds of guest CPU per call. A page of 2,000 records takes about 10 ms, a page with heavy parsing under
/// 100 ms; ten seconds leaves room for an unoptimised guest on a busy machine and still stops a loop.
pub const CPU_MS: u64 = 10_000;

/// Milliseconds of wall clock per call, host calls included. A slow vendor page takes seconds; five requests may each
/// run into [`HTTP_TOTAL_MS`] once before the call as a whole is stuck.
pub const CALL_WALL_MS: u64 = 300_000;

// --- the guest's memory ----------------------------------------------------------------------------------------------

/// Bytes of linear memory in all memories of one call together. A page of 2,000 users is 1.4 MB of text, the parsed
/// records twice that; 64 MiB is twenty times as much.
pub const MEMORY_BYTES: u64 = 64 * MIB;

/// Bytes that a manifest may ask for at most: what guests with an interpreter inside need.
pub const MEMORY_MAX_BYTES: u64 = 256 * MIB;

/// Elements in all tables of one call together. Function tables of real components have a few thousand.
pub const TABLE_ELEMENTS: usize = 100_000;

/// Core instances in one call. An adapted component has under ten.
pub const INSTANCES: usize = 50;

/// Linear memories in one call. An adapted component has one or two.
pub const MEMORIES: usize = 8;

/// Tables in one call. An adapted component has two or three.
pub const TABLES: usize = 50;

/// Bytes of native stack that guest code may use; deep recursion traps here, well inside [`FIBER_STACK_BYTES`].
pub const WASM_STACK_BYTES: usize = 512 * 1024;

/// Bytes of stack for the whole call, guest and host functions together.
pub const FIBER_STACK_BYTES: usize = 2 * 1024 * 1024;

/// Bytes of a component file. An interpreted guest has 18 MB; compiling costs in proportion.
pub const COMPONENT_BYTES: usize = 32 * 1024 * 1024;

/// Compiled components kept ready. Each is a few MB; a server has a handful of connectors in two versions.
pub const COMPONENTS_CACHED: usize = 32;

// --- what crosses the boundary ---------------------------------------------------------------------------------------

/// Bytes of host memory that one crossing (arguments of a host call, result of an export) may fill. A page of 2,000
/// accounts with 12 attributes each and one assignment per account fills about 4 MiB (160 bytes for the account record
/// and 100 for its texts, 48 for each attribute record and 50 for its texts, 250 for the assignment: 1.7 kB a piece).
/// 16 MiB is four times that and far below what would hurt.
pub const CROSSING_BYTES: usize = 16 * 1024 * 1024;

/// Component handles per call. The contract has no resources; WASI streams need a handful.
pub const COMPONENT_HANDLES: usize = 10_000;

/// Entries in the host's resource table per call (WASI streams and polls only).
pub const RESOURCES: usize = 1_000;

/// Bytes of randomness per request of the guest.
pub const RANDOM_BYTES: u64 = 64 * 1024;

/// Accounts on one page. The largest page a known vendor gives is 2,000; 10,000 leaves room for others.
pub const PAGE_ACCOUNTS: usize = 10_000;

/// Assignments on one page: a few per account.
pub const PAGE_ASSIGNMENTS: usize = 50_000;

/// Facts on one page: a few per account.
pub const PAGE_FACTS: usize = 50_000;

/// Rows of activity on one page.
pub const PAGE_ACTIVITY_DAYS: usize = 50_000;

/// Pools on one page. An org has under a hundred licences.
pub const PAGE_POOLS: usize = 2_000;

/// Attributes of one record.
pub const RECORD_ATTRIBUTES: usize = 64;

/// Bytes of any one text in a returned record: names, keys, labels, attribute values.
pub const TEXT_BYTES: usize = 4 * 1024;

/// Bytes of a `json` text (contract: "at most 64 KiB").
pub const JSON_BYTES: usize = 64 * 1024;

/// Bytes of a cursor (contract: "at most 16 KiB"); it is sealed and stored after every page.
pub const CURSOR_BYTES: usize = 16 * 1024;

/// Bytes of a memo (contract: "at most 16 KiB"); it travels with every call.
pub const MEMO_BYTES: usize = 16 * 1024;

/// Chains of one download. Chains are followed in parallel as far as limits allow; more than this is a mistake.
pub const CHAINS: usize = 256;

/// Checks of one connector; a person reads them all.
pub const CHECKS: usize = 64;

/// Plans or observations of one call: as many as `lookup-accounts` takes ids.
pub const TARGETS: usize = 200;

/// Ids of one `lookup-accounts` (contract: "at most 200 ids").
pub const LOOKUP_IDS: usize = 200;

/// Requests in one plan; a person reads and approves each.
pub const PLAN_STEPS: usize = 20;

/// Sentences in each list of a plan (blockers, unchecked, frees, consequences).
pub const PLAN_NOTES: usize = 64;

/// Bytes of one planned request's body; it is shown to a person.
pub const STEP_BODY_BYTES: usize = 64 * 1024;

/// Bytes of a before-image; it is stored with every action.
pub const BEFORE_IMAGE_BYTES: usize = 64 * 1024;

// --- the guest's voice -----------------------------------------------------------------------------------------------

/// Log records per call. A page is one call and has little to say.
pub const LOG_RECORDS: u32 = 1_000;

/// Bytes of one log record, message and fields together.
pub const LOG_RECORD_BYTES: usize = 4 * 1024;

/// Bytes of log per call.
pub const LOG_BYTES: usize = 256 * 1024;

/// Fields of one log record.
pub const LOG_FIELDS: usize = 32;

/// Host calls per call, logs included. Cheap calls in a loop would keep the host busy without using guest CPU.
pub const HOST_CALLS: u32 = 5_000;

/// HTTP requests per call. A page is one request; `identify` and a check make a few.
pub const HTTP_CALLS: u32 = 50;

// --- requests of the guest -------------------------------------------------------------------------------------------

/// Bytes of a guest's path with query. A query with 200 quoted ids and all columns has about 8 KiB.
pub const PATH_BYTES: usize = 16 * 1024;

/// Headers that a guest may set on one request.
pub const REQUEST_HEADERS: usize = 32;

/// Bytes of all header names and values that a guest may set on one request.
pub const REQUEST_HEADER_BYTES: usize = 8 * 1024;

/// Bytes of a guest's request body, where a read operation allows one at all.
pub const REQUEST_BODY_BYTES: usize = 64 * 1024;

// --- answers of the vendor -------------------------------------------------------------------------------------------

/// Milliseconds to resolve a name.
pub const DNS_MS: u64 = 5_000;

/// Milliseconds to connect, TLS included. Reaching a far region takes under a second.
pub const CONNECT_MS: u64 = 10_000;

/// Milliseconds without a single byte of the answer. A long-running query answers late but not this late.
pub const HTTP_READ_MS: u64 = 120_000;

/// Milliseconds from sending to the last byte. A dripping answer ends here.
pub const HTTP_TOTAL_MS: u64 = 180_000;

/// Bytes of an answer after decompression. A page of 2,000 wide records has about 3 MB; the guest's memory must hold
/// it and what it makes of it.
pub const RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// How many times larger than its compressed form an answer may become. JSON of records packs 10 to 40 times;
/// a bomb packs 1,000 times.
pub const COMPRESSION_RATIO: u64 = 200;

/// Bytes below which the ratio is not looked at: a small answer of blanks is harmless.
pub const COMPRESSION_RATIO_FROM: usize = 1024 * 1024;

/// Headers of an answer.
pub const RESPONSE_HEADERS: usize = 100;

/// Bytes of all header names and values of an answer.
pub const RESPONSE_HEADER_BYTES: usize = 64 * 1024;

/// Addresses of one name that are looked at. More than this is refused: all must be classified.
pub const ADDRESSES: usize = 64;

/// Seconds after which a name is resolved again, by this egress. Longer would outlive a failover of the vendor; resolving
/// for every request would double its latency.
pub const ADDRESS_TTL_S: u64 = 60;

/// Bytes of a token endpoint's answer. Real ones have under 4 KiB.
pub const TOKEN_RESPONSE_BYTES: usize = 256 * 1024;

/// Milliseconds for a whole token call.
pub const TOKEN_TOTAL_MS: u64 = 30_000;

/// The limits of one call that its caller may set. The default is what production uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Guest CPU, host calls not included. Default [`CPU_MS`].
    pub cpu: Duration,
    /// Wall clock of the whole call, host calls included. Default [`CALL_WALL_MS`].
    pub wall: Duration,
    /// Bytes in all linear memories together. Default [`MEMORY_BYTES`].
    pub memory_bytes: u64,
    /// Elements in all tables together. Default [`TABLE_ELEMENTS`].
    pub table_elements: usize,
    /// Bytes of host memory one crossing may fill. Default [`CROSSING_BYTES`].
    pub crossing_bytes: usize,
    /// Host calls, of any kind. Default [`HOST_CALLS`].
    pub host_calls: u32,
    /// HTTP requests. Default [`HTTP_CALLS`].
    pub http_calls: u32,
    /// Log records. Default [`LOG_RECORDS`].
    pub log_records: u32,
    /// Bytes of log. Default [`LOG_BYTES`].
    pub log_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu: Duration::from_millis(CPU_MS),
            wall: Duration::from_millis(CALL_WALL_MS),
            memory_bytes: MEMORY_BYTES,
            table_elements: TABLE_ELEMENTS,
            crossing_bytes: CROSSING_BYTES,
            host_calls: HOST_CALLS,
            http_calls: HTTP_CALLS,
            log_records: LOG_RECORDS,
            log_bytes: LOG_BYTES,
        }
    }
}

impl Limits {
    /// The default with what the manifest asks for; a manifest that asks for more than the host's maximum does not parse.
    pub fn for_manifest(manifest: &Manifest) -> Self {
        Self {
            memory_bytes: u64::from(manifest.limits.memory_mib) * MIB,
            ..Self::default()
        }
    }
}
