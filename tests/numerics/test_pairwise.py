"""The subset that runs by default covers what so few cases can."""

from tests.numerics.matrix import CHOICES, SUBSET, coverage, everything, pairwise


def test_the_subset_meets_nearly_all_pairs() -> None:
    cases = pairwise()
    assert len(set(cases)) == SUBSET <= 12
    found = coverage(cases)
    met, total = (sum(entry[index] for entry in found.values()) for index in (0, 1))
    print(f"\n{SUBSET} of {len(everything())} cases meet {met} of {total} pairs")
    for (first, second), (count, wanted) in found.items():
        if count < wanted:
            print(f"  {first} x {second}: {count} of {wanted}")
        # No more pairs than cases can be met, and a greedy choice meets nearly that many.
        assert count >= min(wanted, SUBSET) - 3
    assert met >= 0.85 * total


def test_every_choice_is_in_the_subset() -> None:
    cases = pairwise()
    for name, values in CHOICES.items():
        assert {getattr(case, name) for case in cases} == set(values)


def test_the_subset_is_always_the_same() -> None:
    assert pairwise() == pairwise()
