import { topicReaders } from "../../support/topic-readers.ts";
import { transportContract } from "../../transport-contract.ts";

for (const [name, openReader, traits] of topicReaders) transportContract(name, openReader, traits);
