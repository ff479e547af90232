//! The appliance put together: start, reload, stop; control socket, indexer, workers, service manager, privileges.
