import { rpcReaders } from "../../support/rpc-readers.ts";
import { transportContract } from "../../transport-contract.ts";

for (const [name, openReader, traits] of rpcReaders) transportContract(name, openReader, traits);
