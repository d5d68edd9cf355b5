package main

import (
	registration "k8s.io/api/admissionregistration/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The library has no defaults: an API server adds them before it stores a configuration, and without a selector a
// webhook would be asked about nothing.

func withDefaults(validating []registration.ValidatingWebhook, mutating []registration.MutatingWebhook) {
	for i := range validating {
		one := &validating[i]
		either(&one.NamespaceSelector, meta.LabelSelector{})
		either(&one.ObjectSelector, meta.LabelSelector{})
		either(&one.MatchPolicy, registration.Equivalent)
		either(&one.FailurePolicy, registration.Fail)
		either(&one.TimeoutSeconds, 10)
	}
	for i := range mutating {
		one := &mutating[i]
		either(&one.NamespaceSelector, meta.LabelSelector{})
		either(&one.ObjectSelector, meta.LabelSelector{})
		either(&one.MatchPolicy, registration.Equivalent)
		either(&one.FailurePolicy, registration.Fail)
		either(&one.TimeoutSeconds, 10)
		either(&one.ReinvocationPolicy, registration.NeverReinvocationPolicy)
	}
}

func either[T any](field **T, otherwise T) {
	if *field == nil {
		*field = &otherwise
	}
}
