package main

import (
	"crypto/tls"
	"net/http"
	"sync"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	webhookutil "k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/rest"
)

// spoken has the versions of TLS in which webhooks answered since they were last taken.
type spoken struct {
	mutex    sync.Mutex
	versions []string
}

func (s *spoken) take() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	versions := s.versions
	s.versions = nil
	return versions
}

// clients makes the plug-in's own clients note their versions in spoken; maximum caps those that they offer, if it is not 0.
func clients(spoken *spoken, maximum uint16) webhookutil.AuthenticationInfoResolverWrapper {
	return func(own webhookutil.AuthenticationInfoResolver) webhookutil.AuthenticationInfoResolver {
		return &resolver{own, spoken, maximum}
	}
}

type resolver struct {
	webhookutil.AuthenticationInfoResolver
	spoken  *spoken
	maximum uint16
}

func (r *resolver) ClientConfigFor(host string) (*rest.Config, error) {
	config, err := r.AuthenticationInfoResolver.ClientConfigFor(host)
	if err != nil {
		return nil, err
	}
	if r.maximum != 0 {
		// The default, but the library shares no transport that has one, so the cap is of this client alone.
		config.Proxy = http.ProxyFromEnvironment
	}
	config.Wrap(func(transport http.RoundTripper) http.RoundTripper {
		if settings, err := utilnet.TLSClientConfig(transport); err == nil && r.maximum != 0 {
			settings.MaxVersion = r.maximum
		}
		return &noting{transport, r.spoken}
	})
	return config, nil
}

type noting struct {
	http.RoundTripper
	spoken *spoken
}

func (n *noting) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := n.RoundTripper.RoundTrip(request)
	if err == nil && response.TLS != nil {
		n.spoken.mutex.Lock()
		defer n.spoken.mutex.Unlock()
		n.spoken.versions = append(n.spoken.versions, tls.VersionName(response.TLS.Version))
	}
	return response, err
}
