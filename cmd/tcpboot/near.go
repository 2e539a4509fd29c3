package main

// near is the name that was probably meant by word: the one that the fewest typing
// errors lead to, two at most, and fewer than half of its letters; "" if there is none.
func near(word string, names []string) (meant string) {
	fewest := 3
	for _, name := range names {
		if n := typos(word, name); n < fewest && 2*n < len(name) {
			fewest, meant = n, name
		}
	}
	return meant
}

// typos counts the letters that were left out, put in or mistaken on the way from a to b
// (the edit distance of Levenshtein).
func typos(a, b string) int {
	row := make([]int, len(b)+1) // row[j]: from what of a was read to b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			mistaken := before
			if a[i] != b[j] {
				mistaken++
			}
			before = row[j+1]
			row[j+1] = min(mistaken, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}
