Feature: Services meet at their public APIs only

  @requirement:API-1 @mutate @slow
  Rule: A service reaches another service only through that service's public API

    Scenario: Nobody goes round the API of a service
      Given a control plane that users are working with
      And the connections of all its components have been watched
      Then every service reaches the others through their public APIs only
