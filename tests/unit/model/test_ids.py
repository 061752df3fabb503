from batuta.model.ids import PARTITIONS, friendly_id, partition_of, timed_id

ENTROPY = [bytes([value]) * 10 for value in (0, 1, 127, 255)]


def test_ids_made_later_sort_after():
    instants = (
        0,
        1_000,
        2_000,
        1_700_000_000_000_000,
        1_700_000_000_001_000,
        250_000_000_000_000_000,
    )
    ids = [timed_id(at, entropy) for at in instants for entropy in ENTROPY]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {len(id_) for id_ in ids} == {22}


def test_ids_of_one_millisecond_differ_by_entropy():
    assert timed_id(1_500, ENTROPY[0]) == timed_id(1_999, ENTROPY[0])
    assert timed_id(1_500, ENTROPY[0]) != timed_id(1_500, ENTROPY[1])


def test_partitions_are_spread_evenly():
    counts = [0] * PARTITIONS
    for number in range(6400):
        counts[partition_of(timed_id(number * 1000, ENTROPY[2]))] += 1
    assert min(counts) > 50
    assert max(counts) < 160


def test_friendly_ids_are_base_62():
    assert friendly_id(bytes(16)) == "0" * 22
    assert friendly_id(b"\xff" * 16) == "7n42DGM5Tflk9n8mt7Fhc7"
