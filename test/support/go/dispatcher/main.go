// Command dispatcher sends requests through the admission plug-ins of Kubernetes' own API server library, which
// call the webhooks that they are given. For each line on standard input it writes one line on standard output.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	registration "k8s.io/api/admissionregistration/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/generic"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/mutating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/validating"
	"k8s.io/apiserver/pkg/authentication/user"
	webhookutil "k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/apiserver/pkg/warning"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
)

// question is one line of standard input: webhooks as in their configuration objects, and requests in their order.
type question struct {
	Validating []registration.ValidatingWebhook `json:"validating"`
	Mutating   []registration.MutatingWebhook   `json:"mutating"`
	// Labels by the namespace's name.
	Namespaces map[string]map[string]string `json:"namespaces"`
	Requests   []request                    `json:"requests"`
	// Of TLS that is offered to webhooks, as in crypto/tls; default: as the library does.
	MaxVersion uint16 `json:"maxVersion"`
}

type request struct {
	Operation   admission.Operation `json:"operation"`
	Namespace   string              `json:"namespace"`
	Name        string              `json:"name"`
	Resource    string              `json:"resource"`
	SubResource string              `json:"subResource"`
	// With apiVersion and kind.
	Object    json.RawMessage `json:"object"`
	OldObject json.RawMessage `json:"oldObject"`
	DryRun    bool            `json:"dryRun"`
	User      string          `json:"user"`
	Groups    []string        `json:"groups"`
}

type result struct {
	Allowed bool `json:"allowed"`
	// Of a refusal.
	Code    int32  `json:"code,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
	// What the user sees, and what the audit log has.
	Warnings    []string          `json:"warnings"`
	Annotations map[string]string `json:"annotations"`
	// As the mutating webhooks left it.
	Object runtime.Object `json:"object,omitempty"`
	// The version of TLS of each answer of a webhook.
	TLS []string `json:"tls,omitempty"`
}

// observed keeps the audit annotations of a request: those of admission's own record are private.
type observed struct {
	admission.Attributes
	mutex       sync.Mutex
	annotations map[string]string
}

func (o *observed) AddAnnotation(key, value string) error {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.annotations[key] = value
	return o.Attributes.AddAnnotation(key, value)
}

type warnings struct {
	mutex sync.Mutex
	texts []string
}

func (w *warnings) AddWarning(_, text string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.texts = append(w.texts, text)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	output := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		results, err := answer(lines.Bytes())
		if err == nil {
			err = output.Encode(results)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "dispatcher:", err)
			os.Exit(1)
		}
	}
}

func answer(line []byte) ([]result, error) {
	asked := question{}
	if err := json.Unmarshal(line, &asked); err != nil {
		return nil, err
	}
	stop := make(chan struct{})
	defer close(stop)
	spoken := &spoken{}
	mutator, validator, err := plugins(asked, stop, clients(spoken, asked.MaxVersion))
	if err != nil {
		return nil, err
	}
	interfaces := admission.NewObjectInterfacesFromScheme(scheme.Scheme)
	results := []result{}
	for _, one := range asked.Requests {
		attributes, err := one.attributes()
		if err != nil {
			return nil, err
		}
		record := &observed{Attributes: attributes, annotations: map[string]string{}}
		seen := &warnings{texts: []string{}}
		ctx := warning.WithWarningRecorder(context.Background(), seen)
		err = mutator.Admit(ctx, record, interfaces)
		// As an API server does: once again where a webhook asks for it and the object has changed since.
		if again := record.GetReinvocationContext(); err == nil && again.ShouldReinvoke() {
			again.SetIsReinvoke()
			err = mutator.Admit(ctx, record, interfaces)
		}
		if err == nil {
			err = validator.Validate(ctx, record, interfaces)
		}
		judged := outcome(err, record, seen)
		judged.TLS = spoken.take()
		results = append(results, judged)
	}
	return results, nil
}

func plugins(asked question, stop chan struct{}, wrapper webhookutil.AuthenticationInfoResolverWrapper) (*mutating.Plugin, *validating.Plugin, error) {
	withDefaults(asked.Validating, asked.Mutating)
	objects := []runtime.Object{
		&registration.ValidatingWebhookConfiguration{ObjectMeta: meta.ObjectMeta{Name: "v"}, Webhooks: asked.Validating},
		&registration.MutatingWebhookConfiguration{ObjectMeta: meta.ObjectMeta{Name: "m"}, Webhooks: asked.Mutating},
	}
	for name, labels := range asked.Namespaces {
		objects = append(objects, &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: name, Labels: labels}})
	}
	client := fake.NewClientset(objects...)
	informer := informers.NewSharedInformerFactory(client, 0)
	mutator, err := mutating.NewMutatingWebhook(nil)
	if err != nil {
		return nil, nil, err
	}
	validator, err := validating.NewValidatingAdmissionWebhook(nil)
	if err != nil {
		return nil, nil, err
	}
	for _, webhook := range []*generic.Webhook{mutator.Webhook, validator.Webhook} {
		webhook.SetAuthenticationInfoResolverWrapper(wrapper)
		webhook.SetExternalKubeClientSet(client)
		webhook.SetExternalKubeInformerFactory(informer)
		if err := webhook.ValidateInitialization(); err != nil {
			return nil, nil, err
		}
	}
	informer.Start(stop)
	informer.WaitForCacheSync(stop)
	return mutator, validator, nil
}

func (r request) attributes() (admission.Attributes, error) {
	object, err := decode(r.Object)
	if err != nil {
		return nil, err
	}
	old, err := decode(r.OldObject)
	if err != nil {
		return nil, err
	}
	known := object
	if known == nil {
		known = old
	}
	if known == nil {
		return nil, errors.New("a request has neither object nor oldObject")
	}
	kind := known.GetObjectKind().GroupVersionKind()
	who := &user.DefaultInfo{Name: r.User, Groups: r.Groups}
	return admission.NewAttributesRecord(
		object, old, kind, r.Namespace, r.Name, kind.GroupVersion().WithResource(r.Resource), r.SubResource,
		r.Operation, options(r.Operation), r.DryRun, who), nil
}

func options(operation admission.Operation) runtime.Object {
	switch operation {
	case admission.Update:
		return &meta.UpdateOptions{TypeMeta: meta.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "UpdateOptions"}}
	case admission.Delete:
		return &meta.DeleteOptions{TypeMeta: meta.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "DeleteOptions"}}
	default:
		return &meta.CreateOptions{TypeMeta: meta.TypeMeta{APIVersion: "meta.k8s.io/v1", Kind: "CreateOptions"}}
	}
}

// decode reads into the type of Kubernetes' own scheme, so that what it does not know is dropped as an API server does.
func decode(raw json.RawMessage) (runtime.Object, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var kind *schema.GroupVersionKind
	object, kind, err := scheme.Codecs.UniversalDeserializer().Decode(raw, nil, nil)
	if err != nil {
		return nil, err
	}
	object.GetObjectKind().SetGroupVersionKind(*kind)
	return object, nil
}

func outcome(err error, record *observed, seen *warnings) result {
	all := result{Allowed: err == nil, Warnings: seen.texts, Annotations: record.annotations, Object: record.GetObject()}
	if err == nil {
		return all
	}
	all.Message = err.Error()
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		all.Code, all.Reason = status.Status().Code, string(status.Status().Reason)
	}
	return all
}
