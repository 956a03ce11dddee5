package packager_test

// excuse is a rule that a script cannot but break, because of what its publisher does.
type excuse struct{ rule, scripts, reason string }

func excuses() []excuse {
	return []excuse{}
}
