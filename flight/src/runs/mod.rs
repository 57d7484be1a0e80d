//! Samples between Stoa nodes: run batches over Arrow Flight, on the port of gRPC.
//!
//! ```text
//! querier                                     store, sidecar, another querier
//!   Info ──────────────────────────────────▶   runs { version }
//!   DoGet(ticket: selector, options) ──────▶   resolve
//!   roster, checked              ◀──────────   schema, then the series: dictionaries and codes
//!   runs, as the query reads them ◀─────────   run batches, read as the client takes them
//! ```
//!
//! What StoreAPI makes of samples and takes apart again (sorted labels, XOR chunks, hashes) is left
//! out: columns stay columns. An endpoint says in Info that it speaks this; Thanos' clients skip a
//! field that they do not know. Everything else than samples is asked over StoreAPI.
//!
//! # The stream
//!
//! The first message has the schema of the batches. Then come messages with nothing but `app_metadata`:
//! the series in parts ([`RunsRoster`](proto::stoa::RunsRoster)), in the order of the server's roster,
//! which follows from the ticket alone. Then batches of [run batches](engine::source::run_schema) with
//! one difference: `ts` is a list *view*, because series that are scraped together have the same
//! timestamps, which are sent once a batch.
//!
//! # What may go wrong
//!
//! Nothing of an answer is believed: sizes, offsets, order, times and limits are checked. What fails
//! before the first batch is a failure of the endpoint, as over StoreAPI. An answer that breaks off
//! later cannot become a warning any more, since the query has begun; so the query begins anew (as
//! after a damaged block), and the endpoint is asked over StoreAPI for a while, where all is received
//! before anything is computed.
//!
//! A stream that nobody reads is held up by HTTP/2's window of that stream, and holds up nobody else:
//! the window of the connection is far larger, and a server counts what it is reading, not what is open.
//!
//! | module | holds |
//! |---|---|
//! | `ticket` | a selector and its options as a message |
//! | `roster` | the series as messages |
//! | `batch` | batches as messages |
//! | `layout` | whether a message's buffers are what its schema needs |
//! | [`server`] | DoGet over any source |
//! | [`client`] | an endpoint as a source |

mod batch;
pub mod client;
mod layout;
mod roster;
pub mod server;
#[cfg(test)]
mod tests;
mod ticket;

pub use client::Node;
pub use server::RunsService;

/// The version of the protocol.
pub const VERSION: u32 = 1;
