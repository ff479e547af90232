//! Documents on their way to tantivy's threads: its own queue counts documents, not bytes, so the bytes are counted here.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tantivy::schema::document::{CompactDocValue, Document, TantivyDocument};

use crate::limits::{QUEUE_BYTES, QUEUE_WAIT};

/// Lets bytes through until [`QUEUE_BYTES`] are on their way.
#[derive(Debug, Default)]
pub(super) struct Gate {
    under_way: Mutex<usize>,
    left: Condvar,
}

/// A document for tantivy, which gives its bytes back when it has been dealt with, or dropped.
pub(super) struct Queued {
    document: TantivyDocument,
    bytes: usize,
    gate: Arc<Gate>,
}

impl Gate {
    /// Waits until there is room, then lets documents of `bytes` in all through; none if nothing moved for [`QUEUE_WAIT`]. What is
    /// larger than everything goes alone.
    pub(super) fn pass(self: &Arc<Gate>, documents: Vec<TantivyDocument>, bytes: usize) -> Option<Vec<Queued>> {
        let each = bytes.div_ceil(documents.len().max(1));
        let all = each * documents.len();
        let mut under_way = self.under_way.lock();
        while *under_way > 0 && *under_way + all > QUEUE_BYTES {
            let before = *under_way;
            let timed_out = self.left.wait_for(&mut under_way, QUEUE_WAIT).timed_out();
            if timed_out && *under_way >= before {
                return None;
            }
        }
        *under_way += all;
        drop(under_way);
        let queued = |document| Queued { document, bytes: each, gate: Arc::clone(self) };
        Some(documents.into_iter().map(queued).collect())
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        *self.gate.under_way.lock() -= self.bytes;
        self.gate.left.notify_all();
    }
}

impl Document for Queued {
    type Value<'a> = CompactDocValue<'a>;
    type FieldsValuesIter<'a> = <TantivyDocument as Document>::FieldsValuesIter<'a>;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        self.document.iter_fields_and_values()
    }

    fn into_tantivy_document(mut self) -> TantivyDocument {
        std::mem::take(&mut self.document)
    }
}
